// openid-client as a careful program is written with it: certificates, FAPI 2.0, answers that are encrypted to it, permissions in detail, fresh
// sign-ins, somebody else's word, requests that are fetched.
import assert from 'node:assert/strict'
import { X509Certificate, createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { SignJWT, decodeJwt, decodeProtectedHeader, exportJWK, generateKeyPair } from 'jose'
import * as oidc from 'openid-client'
import { certifiedFetch, pem } from './certified_fetch.mjs'
import { clientKey } from './client_key.mjs'
import { CookieBrowser } from './cookie_browser.mjs'
import { Report, createClient, quickstartTenants, tessera } from './interop.mjs'

const REDIRECT = 'http://127.0.0.1:39873/callback'
const SCOPE = 'openid profile email offline_access'
const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const PASSWORD = 'urn:tessera:acr:password'
const EXECUTE = [oidc.allowInsecureRequests, oidc.enableNonRepudiationChecks]

/** A client of this tenant, and the library set up with it. */
async function configure(tenant, name, metadata = {}, { authentication, execute = [], fetch, own = {} } = {}) {
  const registration = await createClient(tenant, { client_name: name, redirect_uris: [REDIRECT], ...metadata })
  return oidc.discovery(
    new URL(tenant.issuer),
    registration.client_id,
    { ...registration, ...own },
    authentication ?? oidc.ClientSecretBasic(registration.client_secret),
    { execute: [...EXECUTE, ...execute], ...(fetch && { [oidc.customFetch]: fetch }) },
  )
}

/** The parameters of a request and the checks of its answer. */
async function request(more = {}, checks = {}) {
  const pkceCodeVerifier = oidc.randomPKCECodeVerifier()
  const all = { pkceCodeVerifier, expectedState: oidc.randomState(), expectedNonce: oidc.randomNonce(), idTokenExpected: true, ...checks }
  const parameters = {
    redirect_uri: REDIRECT,
    scope: SCOPE,
    code_challenge: await oidc.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    state: all.expectedState,
    nonce: all.expectedNonce,
    ...more,
  }
  return { parameters, checks: all }
}

const open = (tenant, url, browser = new CookieBrowser()) => browser.open(url, `${REDIRECT}?`, tenant)

/** A sign-in: `build` makes of the parameters where the browser goes. */
async function signIn(tenant, config, { more, checks, build = oidc.buildAuthorizationUrl, browser, options } = {}) {
  const asked = await request(more, checks)
  const answer = await open(tenant, await build(config, asked.parameters), browser)
  return oidc.authorizationCodeGrant(config, answer, asked.checks, undefined, options)
}

/** Changes settings of a tenant, and waits until the running server has heard of it: its metadata, or what else `seen` looks at. */
async function change(tenant, settings, seen) {
  await tessera('tenant', 'update', tenant.slug, ...Object.entries(settings).flatMap(([name, value]) => ['--set', `${name}=${value}`]))
  for (let tries = 0; tries < 100; tries += 1) {
    if (await seen(await (await fetch(`${tenant.issuer}/.well-known/openid-configuration`)).json())) return
    await sleep(50)
  }
  assert.fail(`${Object.keys(settings)} aren't seen`)
}

const thumbprint = (text) => createHash('sha256').update(new X509Certificate(text).raw).digest('base64url')

/** The public key of a certificate, as a client registers it. */
function keyOf(text) {
  const certificate = new X509Certificate(text)
  return { ...certificate.publicKey.export({ format: 'jwk' }), kid: 'own', x5c: [certificate.raw.toString('base64')] }
}

/** What a client with a certificate does: signs in, has its tokens bound, and uses them where it shows the certificate, and nowhere else. */
async function certified(tenant, name, metadata) {
  const config = await configure(tenant, `certificate ${name}`, { ...metadata, tls_client_certificate_bound_access_tokens: true }, {
    authentication: oidc.TlsClientAuth(), fetch: await certifiedFetch(name), own: { use_mtls_endpoint_aliases: true },
  })
  const tokens = await signIn(tenant, config, { build: oidc.buildAuthorizationUrlWithPAR })
  const { sub } = tokens.claims()
  assert.equal(decodeJwt(tokens.access_token).cnf['x5t#S256'], thumbprint(await pem(name)))
  assert.equal((await oidc.fetchUserInfo(config, tokens.access_token, sub)).email, tenant.email)
  const again = await oidc.refreshTokenGrant(config, tokens.refresh_token)
  assert.equal((await oidc.tokenIntrospection(config, again.access_token)).cnf['x5t#S256'], thumbprint(await pem(name)))
  // Stolen it is of no use: neither with another certificate nor without one.
  const aliases = config.serverMetadata().mtls_endpoint_aliases
  const thief = await certifiedFetch(name === 'own' ? 'client' : 'own')
  const headers = { authorization: `Bearer ${again.access_token}` }
  assert.equal((await thief(aliases.userinfo_endpoint, { headers })).status, 401)
  assert.equal((await fetch(config.serverMetadata().userinfo_endpoint, { headers })).status, 401)
  const body = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: again.refresh_token ?? tokens.refresh_token, client_id: config.clientMetadata().client_id })
  const form = { 'content-type': 'application/x-www-form-urlencoded' }
  assert.equal((await thief(aliases.token_endpoint, { method: 'POST', headers: form, body })).status, 401)
  await oidc.tokenRevocation(config, tokens.refresh_token)
  assert.equal((await oidc.tokenIntrospection(config, again.access_token)).active, false)
}

/** A FAPI 2.0 client: its request is pushed, it signs its assertion, and its tokens are bound to a key. */
async function fapi(tenant, alg, profile, more = {}) {
  const { jwks, key } = await clientKey(alg)
  const config = await configure(
    tenant,
    `${profile} ${alg}`,
    { jwks, security_profile: profile, token_endpoint_auth_method: 'private_key_jwt', application_type: 'native', id_token_signed_response_alg: 'PS256', ...more.metadata },
    { authentication: oidc.PrivateKeyJwt(key), execute: more.execute },
  )
  const DPoP = oidc.getDPoPHandle(config, await oidc.randomDPoPKeyPair('ES256'))
  return { config, key, DPoP }
}

const FEATURES = {
  'a certificate of an authority (RFC 8705)': async (tenant) => {
    await certified(tenant, 'client', { token_endpoint_auth_method: 'tls_client_auth', tls_client_auth_san_dns: 'orders.interop.example' })
  },
  'a certificate of its own (RFC 8705)': async (tenant) => {
    const jwks = { keys: [keyOf(await pem('own'))] }
    await certified(tenant, 'own', { token_endpoint_auth_method: 'self_signed_tls_client_auth', jwks })
  },
  'FAPI 2.0: pushed, by a key, tokens bound': async (tenant) => {
    for (const alg of ['ES256', 'PS256']) {
      const { config, DPoP } = await fapi(tenant, alg, 'fapi2_security')
      const build = (own, parameters) => oidc.buildAuthorizationUrlWithPAR(own, parameters, { DPoP })
      const tokens = await signIn(tenant, config, { build, options: { DPoP } })
      assert.deepEqual([tokens.token_type, tokens.claims().tenant], ['dpop', tenant.slug])
      const again = await oidc.refreshTokenGrant(config, tokens.refresh_token, undefined, { DPoP })
      assert.equal((await oidc.fetchUserInfo(config, again.access_token, tokens.claims().sub, { DPoP })).email, tenant.email)
      // Neither through the browser nor without a proof.
      await assert.rejects(signIn(tenant, config, { options: { DPoP } }), { error: 'invalid_request' })
      await assert.rejects(signIn(tenant, config, { build }), { error: 'invalid_request' })
    }
  },
  'FAPI 2.0 Message Signing: request, answer and introspection are signed': async (tenant) => {
    const metadata = { authorization_signed_response_alg: 'PS256', introspection_signed_response_alg: 'PS256', request_object_signing_alg: 'ES256' }
    const { config, key, DPoP } = await fapi(tenant, 'ES256', 'fapi2_message_signing', { metadata, execute: [oidc.useJwtResponseMode] })
    // The library's request objects are good for five minutes, and say from when on.
    const build = async (own, parameters) => {
      const { searchParams } = await oidc.buildAuthorizationUrlWithJAR(own, parameters, key)
      return oidc.buildAuthorizationUrlWithPAR(own, searchParams, { DPoP })
    }
    const tokens = await signIn(tenant, config, { build, options: { DPoP } })
    assert.equal(tokens.claims().tenant, tenant.slug)
    assert.equal((await oidc.tokenIntrospection(config, tokens.access_token)).active, true)
    await assert.rejects(
      request().then(({ parameters }) => oidc.buildAuthorizationUrlWithPAR(config, parameters, { DPoP })), { error: 'invalid_request' },
    )
  },
  'ID token and userinfo encrypted to the client': async (tenant) => {
    for (const [alg, enc, signed] of [['ECDH-ES', 'A256GCM', 'ES256'], ['RSA-OAEP-256', 'A128CBC-HS256', 'PS256']]) {
      const pair = await generateKeyPair(alg, { extractable: true, crv: 'P-256' })
      const jwk = { ...(await exportJWK(pair.publicKey)), kid: 'sealed', use: 'enc', alg }
      const metadata = {
        jwks: { keys: [jwk] },
        id_token_encrypted_response_alg: alg,
        id_token_encrypted_response_enc: enc,
        userinfo_encrypted_response_alg: alg,
        userinfo_encrypted_response_enc: enc,
        userinfo_signed_response_alg: signed,
      }
      const decrypting = (own) => oidc.enableDecryptingResponses(own, [enc], { key: pair.privateKey, alg, kid: 'sealed' })
      // Signed within: the library reads no userinfo that was encrypted alone, which OpenID Connect Core §5.3.2 allows as well.
      const config = await configure(tenant, `sealed ${alg}`, metadata, { execute: [decrypting] })
      const tokens = await signIn(tenant, config)
      assert.deepEqual([decodeProtectedHeader(tokens.id_token).alg, tokens.claims().tenant], [alg, tenant.slug])
      const info = await oidc.fetchUserInfo(config, tokens.access_token, tokens.claims().sub)
      assert.equal(info.email, tenant.email)
    }
  },
  'permissions in detail (RFC 9396)': async (tenant) => {
    const config = await configure(tenant, 'pays', { scope: 'openid offline_access', authorization_details_types: ['payment'] })
    const details = [{ type: 'payment', actions: ['initiate', 'status'], amount: '12.50', creditor: 'Merchant A' }]
    const more = { scope: 'openid offline_access', authorization_details: JSON.stringify(details) }
    const tokens = await signIn(tenant, config, { more })
    assert.deepEqual(tokens.authorization_details, details)
    assert.deepEqual(decodeJwt(tokens.access_token).authorization_details, details)
    const narrow = [{ ...details[0], actions: ['status'] }]
    const less = await oidc.refreshTokenGrant(config, tokens.refresh_token, { authorization_details: JSON.stringify(narrow) })
    assert.deepEqual(less.authorization_details, narrow)
    const wide = JSON.stringify([{ ...details[0], amount: '99.00' }])
    await assert.rejects(oidc.refreshTokenGrant(config, tokens.refresh_token, { authorization_details: wide }), { error: 'invalid_authorization_details' })
    assert.deepEqual((await oidc.tokenIntrospection(config, less.access_token)).authorization_details, narrow)
  },
  'a fresh sign-in, and one of a kind (RFC 9470)': async (tenant) => {
    const config = await configure(tenant, 'grave')
    const browser = new CookieBrowser()
    const first = await signIn(tenant, config, { browser, more: { acr_values: `urn:example:gold ${PASSWORD}`, max_age: '600' }, checks: { maxAge: 600 } })
    assert.equal(first.claims().acr, PASSWORD)
    await sleep(2_000)
    const again = await signIn(tenant, config, { browser, more: { max_age: '1' }, checks: { maxAge: 1 } })
    assert.ok(again.claims().auth_time > first.claims().auth_time, 'nobody had to sign in again')
    const claims = JSON.stringify({ id_token: { acr: { essential: true, values: ['urn:example:gold'] } } })
    await assert.rejects(signIn(tenant, config, { browser, more: { claims } }), { error: 'unmet_authentication_requirements' })
  },
  'somebody else\'s word (RFC 7523)': async (tenant) => {
    const { privateKey, publicKey } = await generateKeyPair('ES256')
    const config = await configure(tenant, 'batch', { grant_types: [JWT_BEARER], response_types: [], redirect_uris: undefined, scope: 'pay' })
    const person = await configure(tenant, 'who is it')
    const { sub } = (await signIn(tenant, person)).claims()
    const issuer = `https://idp-${process.pid}.example`
    const issuers = [{
      issuer, jwks: { keys: [{ ...(await exportJWK(publicKey)), kid: 'word', alg: 'ES256', use: 'sig' }] },
      clients: [config.clientMetadata().client_id], subjects: 'id', scope: 'pay', max_lifetime: 300,
    }]
    const bring = (claims = {}) => new SignJWT({ ...claims })
      .setProtectedHeader({ alg: 'ES256', kid: 'word' }).setIssuer(issuer).setSubject(sub).setAudience(tenant.issuer)
      .setIssuedAt().setExpirationTime('60s').setJti(crypto.randomUUID()).sign(privateKey)
    const grant = (assertion) => oidc.genericGrantRequest(config, JWT_BEARER, { assertion, scope: 'pay' })
    await change(tenant, { assertion_issuers: JSON.stringify(issuers) }, async () => grant(await bring()).then(() => true, () => false))
    const assertion = await bring()
    const tokens = await grant(assertion)
    assert.deepEqual([decodeJwt(tokens.access_token).sub, tokens.scope, tokens.refresh_token], [sub, 'pay', undefined])
    await assert.rejects(grant(assertion), { error: 'invalid_grant' })
    await tessera('tenant', 'update', tenant.slug, '--set', 'assertion_issuers=[]')
  },
  'a request that is fetched (OpenID Connect Core §6.2)': async (tenant) => {
    const { jwks, key } = await clientKey()
    let object
    const server = createServer((_, response) => response.writeHead(200, { 'content-type': 'application/oauth-authz-req+jwt', 'cache-control': 'no-store' }).end(object))
    await new Promise((listening) => server.listen(0, '127.0.0.1', listening))
    try {
      const request_uri = `http://localhost:${server.address().port}/request.jwt`
      const config = await configure(tenant, 'by address', { jwks, request_uris: [request_uri] })
      const build = async (own, parameters) => {
        const signed = await oidc.buildAuthorizationUrlWithJAR(own, parameters, key)
        object = signed.searchParams.get('request')
        return oidc.buildAuthorizationUrl(own, { request_uri, scope: 'openid', redirect_uri: REDIRECT })
      }
      assert.equal((await signIn(tenant, config, { build })).claims().tenant, tenant.slug)
      const elsewhere = (own, parameters) => oidc.buildAuthorizationUrl(own, { ...parameters, request_uri: `${request_uri}?elsewhere` })
      await assert.rejects(signIn(tenant, config, { build: elsewhere }), { error: 'invalid_request_uri' })
    } finally {
      server.close()
    }
  },
  'ID tokens by Ed25519 under its own name (RFC 9864)': async (tenant) => {
    const config = await configure(tenant, 'Ed25519', { id_token_signed_response_alg: 'Ed25519' })
    await published(tenant, 'Ed25519')
    const tokens = await signIn(tenant, config)
    assert.deepEqual([decodeProtectedHeader(tokens.id_token).alg, tokens.claims().tenant], ['Ed25519', tenant.slug])
  },
}

/** The library asks for keys once a minute: what it will need must be there when it first does. */
async function published(tenant, ...algorithms) {
  for (let tries = 0; tries < 200; tries += 1) {
    const { keys } = await (await fetch(`${tenant.issuer}/jwks`)).json()
    if (algorithms.every((alg) => keys.some((key) => key.alg === alg))) return
    await sleep(50)
  }
  assert.fail(`${tenant.slug} publishes no keys for ${algorithms}`)
}

/** The API of whose types permissions are asked for in detail, and who issues certificates. */
async function prepare(tenant) {
  const folder = await mkdtemp(join(tmpdir(), 'tessera-interop-'))
  try {
    const file = join(folder, 'types.json')
    const type = { type: 'payment', words: { en: 'Pay {amount} to {creditor}' }, actions: ['initiate', 'status'], fields: { amount: 'text', creditor: 'text' } }
    await writeFile(file, JSON.stringify([type]))
    await tessera('resource', 'create', '--tenant', tenant.slug, '--identifier', `https://bank-${process.pid}.example`, '--scope', 'pay', '--details-types-file', file)
  } finally {
    await rm(folder, { recursive: true })
  }
  await createClient(tenant, { client_name: 'keys', redirect_uris: [REDIRECT], id_token_signed_response_alg: 'PS256' })
  await published(tenant, 'PS256', 'ES256')
  await change(
    tenant,
    { client_certificate_authorities: await pem('ca'), request_uri_parameter: true },
    (metadata) => metadata.request_uri_parameter_supported && metadata.token_endpoint_auth_methods_supported.includes('tls_client_auth'),
  )
}

const report = new Report()
const tenants = await quickstartTenants()
await Promise.all(tenants.map(prepare))
await Promise.all(tenants.map(async (tenant) => {
  for (const [name, feature] of Object.entries(FEATURES)) {
    await report.flow(() => report.check(`${tenant.slug}: ${name}`, () => feature(tenant)))
  }
}))
for (const { slug } of tenants) {
  await tessera('tenant', 'update', slug, '--set', 'request_uri_parameter=false', '--set', 'client_certificate_authorities=')
}
report.finish()
