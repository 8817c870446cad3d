// openid-client: what goes beyond the code flow, each feature as the library implements its specification.
import { decodeJwt } from 'jose'
import * as oidc from 'openid-client'
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { clientKey } from './client_key.mjs'
import { CookieBrowser } from './cookie_browser.mjs'
import { ACCESS_TOKEN, EXCHANGE, exchangeTargets, exchangingService } from './exchange.mjs'
import { Report, createClient, quickstartTenants, tessera } from './interop.mjs'

const REDIRECT = 'http://127.0.0.1:39874/callback'
const SCOPE = 'openid profile email offline_access'
// The loopback interface, without TLS; and every signature is checked, which TLS would otherwise stand for.
const EXECUTE = [oidc.allowInsecureRequests, oidc.enableNonRepudiationChecks]

/** A client of this tenant, and the library set up with it. */
async function configure(tenant, name, metadata, authentication, execute = []) {
  const registration = await createClient(tenant, { client_name: name, redirect_uris: [REDIRECT], ...metadata })
  const own = authentication ?? oidc.ClientSecretBasic(registration.client_secret)
  return oidc.discovery(new URL(tenant.issuer), registration.client_id, registration, own, {
    execute: [...EXECUTE, ...execute],
  })
}

/** The parameters of a request and the checks of its answer. */
async function request(more = {}) {
  const pkceCodeVerifier = oidc.randomPKCECodeVerifier()
  const checks = {
    pkceCodeVerifier,
    expectedState: oidc.randomState(),
    expectedNonce: oidc.randomNonce(),
    idTokenExpected: true,
  }
  const parameters = {
    redirect_uri: REDIRECT,
    scope: SCOPE,
    code_challenge: await oidc.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    state: checks.expectedState,
    nonce: checks.expectedNonce,
    ...more,
  }
  return { parameters, checks }
}

async function open(tenant, url, mark = '?') {
  return new CookieBrowser().open(url, `${REDIRECT}${mark}`, tenant)
}

/** Until the server says so of itself: the command is another process, and the server hears of it within a second. */
async function announced(tenant, member) {
  for (let tries = 0; tries < 50; tries += 1) {
    const metadata = await (await fetch(`${tenant.issuer}/.well-known/openid-configuration`)).json()
    if (metadata[member]) break
    await sleep(100)
  }
}

const FEATURES = {
  'a pushed request (RFC 9126)': async (tenant) => {
    const config = await configure(tenant, 'pushes', { require_pushed_authorization_requests: true })
    const { parameters, checks } = await request()
    const url = await oidc.buildAuthorizationUrlWithPAR(config, parameters)
    assert.deepEqual([...url.searchParams.keys()].sort(), ['client_id', 'request_uri'])
    const tokens = await oidc.authorizationCodeGrant(config, await open(tenant, url), checks)
    assert.equal(tokens.claims().tenant, tenant.slug)
    const { parameters: plain } = await request()
    await assert.rejects(async () => {
      const answer = await open(tenant, oidc.buildAuthorizationUrl(config, plain))
      await oidc.authorizationCodeGrant(config, answer, { expectedState: plain.state })
    }, { error: 'invalid_request' })
  },
  'a signed request object (RFC 9101)': async (tenant) => {
    const { jwks, key } = await clientKey()
    const metadata = { jwks, require_signed_request_object: true, request_object_signing_alg: 'ES256' }
    const config = await configure(tenant, 'signs its requests', metadata)
    const { parameters, checks } = await request()
    const url = await oidc.buildAuthorizationUrlWithJAR(config, parameters, key)
    const tokens = await oidc.authorizationCodeGrant(config, await open(tenant, url), checks)
    assert.equal(tokens.claims().tenant, tenant.slug)
  },
  'a registration by itself (RFC 7591)': async (tenant) => {
    await tessera('tenant', 'update', tenant.slug, '--set', 'registration=token')
    await announced(tenant, 'registration_endpoint')
    const made = await tessera('client', 'initial-access-token', '--tenant', tenant.slug, '--name', 'openid-client')
    const metadata = { redirect_uris: [REDIRECT], client_name: 'registers itself', token_endpoint_auth_method: 'client_secret_post', grant_types: ['authorization_code', 'refresh_token'] }
    const config = await oidc.dynamicClientRegistration(new URL(tenant.issuer), metadata, undefined, {
      initialAccessToken: made.token, execute: EXECUTE,
    })
    const { parameters, checks } = await request()
    const tokens = await oidc.authorizationCodeGrant(
      config, await open(tenant, oidc.buildAuthorizationUrl(config, parameters)), checks,
    )
    assert.equal(tokens.claims().aud, config.clientMetadata().client_id)
  },
  'a signed answer (JARM)': async (tenant) => {
    const config = await configure(tenant, 'signed answers', { authorization_signed_response_alg: 'ES256' }, undefined, [
      oidc.useJwtResponseMode,
    ])
    const { parameters, checks } = await request()
    const answer = await open(tenant, oidc.buildAuthorizationUrl(config, parameters))
    assert.deepEqual([...answer.searchParams.keys()], ['response'])
    const tokens = await oidc.authorizationCodeGrant(config, answer, checks)
    assert.equal(tokens.claims().tenant, tenant.slug)
  },
  'an ID token beside the code (OpenID Connect Core §3.3)': async (tenant) => {
    const metadata = {
      response_types: ['code id_token'], grant_types: ['authorization_code', 'implicit', 'refresh_token'], application_type: 'native',
    }
    const config = await configure(tenant, 'hybrid', metadata, undefined, [oidc.useCodeIdTokenResponseType])
    const { parameters, checks } = await request()
    const answer = await open(tenant, oidc.buildAuthorizationUrl(config, parameters), '#')
    const tokens = await oidc.authorizationCodeGrant(config, answer, checks)
    assert.equal(tokens.claims().tenant, tenant.slug)
  },
  'an ID token through the browser (OpenID Connect Core §3.2)': async (tenant) => {
    const metadata = { response_types: ['id_token'], grant_types: ['implicit'], scope: 'openid profile email', redirect_uris: [REDIRECT], application_type: 'native' }
    const config = await configure(tenant, 'implicit', metadata, undefined, [oidc.useIdTokenResponseType])
    const nonce = oidc.randomNonce()
    const state = oidc.randomState()
    const url = oidc.buildAuthorizationUrl(config, { redirect_uri: REDIRECT, scope: 'openid email', nonce, state })
    const claims = await oidc.implicitAuthentication(config, await open(tenant, url, '#'), nonce, { expectedState: state })
    assert.equal(claims.email, tenant.email)
  },
  'tokens bound to a key (RFC 9449), with and without a nonce of the server': async (tenant) => {
    for (const bound of [false, true]) {
      const config = await configure(tenant, `proofs ${bound}`, { dpop_bound_access_tokens: bound })
      const DPoP = oidc.getDPoPHandle(config, await oidc.randomDPoPKeyPair('ES256'))
      const { parameters, checks } = await request()
      const url = await oidc.buildAuthorizationUrlWithPAR(config, parameters, { DPoP })
      const tokens = await oidc.authorizationCodeGrant(config, await open(tenant, url), checks, undefined, { DPoP })
      assert.equal(tokens.token_type, 'dpop')
      const { sub } = tokens.claims()
      assert.equal((await oidc.fetchUserInfo(config, tokens.access_token, sub, { DPoP })).sub, sub)
      await assert.rejects(oidc.fetchUserInfo(config, tokens.access_token, sub))
      const again = await oidc.refreshTokenGrant(config, tokens.refresh_token, undefined, { DPoP })
      assert.equal(again.token_type, 'dpop')
    }
  },
  'a secret that signs (client_secret_jwt)': async (tenant) => {
    const method = { token_endpoint_auth_method: 'client_secret_jwt' }
    const registration = await createClient(tenant, { client_name: 'signs by its secret', redirect_uris: [REDIRECT], ...method })
    const config = await oidc.discovery(
      new URL(tenant.issuer), registration.client_id, registration, oidc.ClientSecretJwt(registration.client_secret), { execute: EXECUTE },
    )
    const { parameters, checks } = await request()
    const tokens = await oidc.authorizationCodeGrant(
      config, await open(tenant, oidc.buildAuthorizationUrl(config, parameters)), checks,
    )
    assert.equal(tokens.claims().tenant, tenant.slug)
  },
  'a device without a keyboard (RFC 8628)': async (tenant) => {
    const grant_types = ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token']
    const metadata = { grant_types, response_types: [], redirect_uris: undefined, token_endpoint_auth_method: 'none' }
    const config = await configure(tenant, 'television', metadata, oidc.None())
    const asked = await oidc.initiateDeviceAuthorization(config, { scope: SCOPE })
    assert.match(asked.user_code, /^[B-Z]{4}-[B-Z]{4}$/)
    const polling = oidc.pollDeviceAuthorizationGrant(config, asked)
    await new CookieBrowser().open(asked.verification_uri_complete, (page) => page.includes('role="status"'), tenant)
    const tokens = await polling
    assert.equal(tokens.claims().tenant, tenant.slug)
    assert.ok(tokens.refresh_token)
  },
  'a person who is elsewhere (OpenID Connect CIBA), by polling': async (tenant) => {
    await tessera('tenant', 'update', tenant.slug, '--set', 'backchannel_authentication=true')
    await announced(tenant, 'backchannel_authentication_endpoint')
    const grant_types = ['urn:openid:params:grant-type:ciba', 'refresh_token']
    const { jwks, key } = await clientKey()
    const variants = [
      [{ token_endpoint_auth_method: 'client_secret_basic' }, undefined],
      [{ token_endpoint_auth_method: 'private_key_jwt', jwks }, oidc.PrivateKeyJwt(key)],
    ]
    for (const [method, own] of variants) {
      const metadata = { grant_types, response_types: [], redirect_uris: undefined, backchannel_token_delivery_mode: 'poll', ...method }
      const config = await configure(tenant, 'call centre', metadata, own)
      const ask = () => oidc.initiateBackchannelAuthentication(config, {
        scope: SCOPE, login_hint: tenant.email, binding_message: 'W4SCT',
      })
      for (const decision of ['allow', 'deny']) {
        const asked = await ask()
        const polling = oidc.pollBackchannelAuthenticationGrant(config, asked)
        // It may be refused before anybody looks at it.
        polling.catch(() => {})
        const browser = new CookieBrowser()
        let request
        await browser.open(`${tenant.issuer}/account/requests`, (page) => {
          request = page.match(/\/account\/requests\/[0-9a-f-]+/)?.[0]
          return request !== undefined
        }, tenant)
        await browser.open(`${tenant.issuer}${request}`, (page) => page.includes('role="status"'), tenant, decision)
        if (decision === 'deny') {
          await assert.rejects(polling, { error: 'access_denied' })
          continue
        }
        const tokens = await polling
        assert.equal(tokens.claims().tenant, tenant.slug)
        assert.equal((await oidc.fetchUserInfo(config, tokens.access_token, tokens.claims().sub)).email, tenant.email)
        assert.ok(tokens.refresh_token)
      }
    }
  },
  'a token exchanged for another service (RFC 8693)': async (tenant) => {
    const { parameters, checks } = await request({ scope: 'openid profile' })
    const person = await configure(tenant, 'front')
    const tokens = await oidc.authorizationCodeGrant(
      person, await open(tenant, oidc.buildAuthorizationUrl(person, parameters)), checks,
    )
    const stock = targets[tenant.slug]
    const orders = await exchangingService(tenant, stock)
    const config = await oidc.discovery(
      new URL(tenant.issuer), orders.client_id, orders, oidc.ClientSecretBasic(orders.client_secret), { execute: EXECUTE },
    )
    const exchange = (more) => oidc.genericGrantRequest(config, EXCHANGE, {
      subject_token: tokens.access_token, subject_token_type: ACCESS_TOKEN, resource: stock, ...more,
    })
    const exchanged = await exchange()
    assert.equal(exchanged.issued_token_type, ACCESS_TOKEN)
    const claims = decodeJwt(exchanged.access_token)
    assert.deepEqual([claims.sub, claims.aud, claims.act], [tokens.claims().sub, stock, { sub: orders.client_id }])
    await assert.rejects(exchange({ resource: 'https://elsewhere.example' }), { error: 'invalid_target' })
  },
}

const report = new Report()
const tenants = await quickstartTenants()
const targets = await exchangeTargets(tenants)
for (const tenant of tenants) {
  for (const [name, feature] of Object.entries(FEATURES)) {
    await report.flow(() => report.check(`${tenant.slug}: ${name}`, () => feature(tenant)))
  }
}
report.finish()
