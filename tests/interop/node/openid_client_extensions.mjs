// openid-client: what goes beyond the code flow, each feature as the library implements its specification.
import * as oidc from 'openid-client'
import { exportJWK, generateKeyPair } from 'jose'
import assert from 'node:assert/strict'
import { CookieBrowser } from './cookie_browser.mjs'
import { Report, createClient, quickstartTenants, tessera } from './interop.mjs'

const REDIRECT = 'http://127.0.0.1:39874/callback'
const SCOPE = 'openid profile email offline_access'
// The loopback interface, without TLS; and every signature is checked, which TLS would otherwise stand for.
const EXECUTE = [oidc.allowInsecureRequests, oidc.enableNonRepudiationChecks]

async function keyPair(alg = 'ES256') {
  const pair = await generateKeyPair(alg, { extractable: true })
  const jwk = { ...(await exportJWK(pair.publicKey)), kid: 'interop', alg, use: 'sig' }
  return { jwks: { keys: [jwk] }, key: { key: pair.privateKey, kid: 'interop' } }
}

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
      await oidc.authorizationCodeGrant(config, answer, {})
    }, /400|invalid_request/)
  },
  'a signed request object (RFC 9101)': async (tenant) => {
    const { jwks, key } = await keyPair()
    const metadata = { jwks, require_signed_request_object: true, request_object_signing_alg: 'ES256' }
    const config = await configure(tenant, 'signs its requests', metadata)
    const { parameters, checks } = await request()
    const url = await oidc.buildAuthorizationUrlWithJAR(config, parameters, key)
    const tokens = await oidc.authorizationCodeGrant(config, await open(tenant, url), checks)
    assert.equal(tokens.claims().tenant, tenant.slug)
  },
  'a registration by itself (RFC 7591)': async (tenant) => {
    await tessera('tenant', 'update', tenant.slug, '--set', 'registration=token')
    const made = await tessera('client', 'initial-access-token', '--tenant', tenant.slug, '--name', 'openid-client')
    const metadata = { redirect_uris: [REDIRECT], client_name: 'registers itself', grant_types: ['authorization_code', 'refresh_token'] }
    const config = await oidc.dynamicClientRegistration(new URL(tenant.issuer), metadata, undefined, {
      initialAccessToken: made.token, execute: EXECUTE,
    })
    const { parameters, checks } = await request()
    const tokens = await oidc.authorizationCodeGrant(
      config, await open(tenant, oidc.buildAuthorizationUrl(config, parameters)), checks,
    )
    assert.equal(tokens.claims().aud, config.clientMetadata().client_id)
  },
}

const report = new Report()
for (const tenant of await quickstartTenants()) {
  for (const [name, feature] of Object.entries(FEATURES)) {
    await report.flow(() => report.check(`${tenant.slug}: ${name}`, () => feature(tenant)))
  }
}
report.finish()
