// oauth4webapi, the library below openid-client, as a program uses it that takes each step itself: what it checks of an answer is what the
// specifications say, and no more.
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { decodeJwt } from 'jose'
import * as oauth from 'oauth4webapi'
import { clientKey } from './client_key.mjs'
import { CookieBrowser, parsePage } from './cookie_browser.mjs'
import { ACCESS_TOKEN, EXCHANGE, exchangeTargets, exchangingService } from './exchange.mjs'
import { Report, createClient, quickstartTenants } from './interop.mjs'

const REDIRECT = 'http://127.0.0.1:39876/callback'
const SCOPE = 'openid profile email offline_access'
// The loopback interface, without TLS.
const INSECURE = { [oauth.allowInsecureRequests]: true }

/** A client of this tenant as the library wants it: the server's metadata, the client's, and how it authenticates. */
async function register(tenant, name, metadata, authentication = ({ client_secret: secret }) => oauth.ClientSecretBasic(secret)) {
  const issuer = new URL(tenant.issuer)
  const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, INSECURE))
  const client = await createClient(tenant, { client_name: name, redirect_uris: [REDIRECT], ...metadata })
  return { as, client, auth: authentication(client), tenant, browser: new CookieBrowser() }
}

/** The parameters of an authorization request, and what its answer is checked by. */
async function request({ client }, more = {}) {
  const verifier = oauth.generateRandomCodeVerifier()
  const [state, nonce] = [oauth.generateRandomState(), oauth.generateRandomNonce()]
  const parameters = {
    client_id: client.client_id,
    redirect_uri: REDIRECT,
    response_type: 'code',
    scope: SCOPE,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    nonce,
    ...more,
  }
  return { parameters, verifier, state, nonce }
}

/** Where the person's browser comes back to. */
function open({ as, browser, tenant }, parameters, mark = '?') {
  return browser.open(`${as.authorization_endpoint}?${new URLSearchParams(parameters)}`, `${REDIRECT}${mark}`, tenant)
}

/** Repeats a request once where the server wants its own nonce in the proof (RFC 9449 §8). */
async function withNonce(send, process) {
  try {
    return await process(await send())
  } catch (error) {
    if (!oauth.isDPoPNonceError(error)) throw error
    return process(await send())
  }
}

/** Redeems the code of a checked answer; the ID token's signature is verified as well. */
async function redeem(own, answer, { verifier, nonce }, options = {}) {
  const { as, client, auth } = own
  return withNonce(
    () => oauth.authorizationCodeGrantRequest(as, client, auth, answer, REDIRECT, verifier, { ...INSECURE, DPoP: options.DPoP }),
    async (response) => {
      const tokens = await oauth.processAuthorizationCodeResponse(as, client, response, {
        expectedNonce: nonce, maxAge: options.maxAge, requireIdToken: true,
      })
      await oauth.validateApplicationLevelSignature(as, response, INSECURE)
      return tokens
    },
  )
}

/** A whole code flow; `send` makes of the parameters those that the browser carries. */
async function signIn(own, more = {}, options = {}) {
  const asked = await request(own, more)
  const sent = options.send ? await options.send(asked.parameters) : asked.parameters
  const answer = oauth.validateAuthResponse(own.as, own.client, await open(own, sent), asked.state)
  return redeem(own, answer, asked, options)
}

const claimsOf = (tokens) => oauth.getValidatedIdTokenClaims(tokens)

async function refresh({ as, client, auth }, token, options = {}) {
  return withNonce(
    () => oauth.refreshTokenGrantRequest(as, client, auth, token, { ...INSECURE, ...options }),
    (response) => oauth.processRefreshTokenResponse(as, client, response),
  )
}

/** What the endpoint says of a token, its signature verified where the answer is signed. */
async function introspect({ as, client, auth }, token, options = {}) {
  const response = await oauth.introspectionRequest(as, client, auth, token, { ...INSECURE, ...options })
  const answer = await oauth.processIntrospectionResponse(as, client, response)
  if (options.requestJwtResponse) await oauth.validateApplicationLevelSignature(as, response, INSECURE)
  return answer
}

async function revoke({ as, client, auth }, token) {
  await oauth.processRevocationResponse(await oauth.revocationRequest(as, client, auth, token, INSECURE))
}

const API = new URL('https://api.example/notes')

/** A protected resource as the library has one (RFC 9068): verifies what a request presents. */
const verified = ({ as, tenant }, request, options = {}) =>
  oauth.validateJwtAccessToken(as, request, tenant.issuer, { ...INSECURE, ...options })

/** The request of a client that calls that resource. */
async function calling(token, options = {}) {
  let request
  const customFetch = async (url, init) => {
    request = new Request(url, init)
    return new Response()
  }
  await oauth.protectedResourceRequest(token, 'GET', API, undefined, null, { ...options, [oauth.customFetch]: customFetch })
  return request
}

const FEATURES = {
  'a device without a keyboard (RFC 8628)': async (tenant) => {
    const own = await register(tenant, 'television', {
      grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'],
      response_types: [],
      redirect_uris: undefined,
      token_endpoint_auth_method: 'none',
    }, () => oauth.None())
    const { as, client, auth } = own
    const asked = await oauth.processDeviceAuthorizationResponse(
      as, client, await oauth.deviceAuthorizationRequest(as, client, auth, { scope: SCOPE }, INSECURE),
    )
    const poll = async () => {
      const response = await oauth.deviceCodeGrantRequest(as, client, auth, asked.device_code, INSECURE)
      return oauth.processDeviceCodeResponse(as, client, response)
    }
    await assert.rejects(poll(), { error: 'authorization_pending' })
    await own.browser.open(asked.verification_uri_complete, (page) => page.includes('role="status"'), tenant)
    // RFC 8628 §3.5: whoever asks sooner is told to slow down.
    await sleep(1_000 * asked.interval)
    const tokens = await poll()
    assert.equal(claimsOf(tokens).tenant, tenant.slug)
    assert.ok(tokens.refresh_token)
  },
  'a code by PKCE, with nonce and max_age': async (tenant) => {
    const own = await register(tenant, 'steps', {})
    const first = await signIn(own, { max_age: '600' }, { maxAge: 600 })
    assert.equal(claimsOf(first).tenant, tenant.slug)
    const silent = await signIn(own, { max_age: '600', prompt: 'none' }, { maxAge: 600 })
    assert.equal(claimsOf(silent).auth_time, claimsOf(first).auth_time)
    await sleep(2_000)
    const again = await signIn(own, { max_age: '1' }, { maxAge: 1 })
    assert.ok(claimsOf(again).auth_time > claimsOf(first).auth_time, 'nobody had to sign in again')
    assert.equal(claimsOf(again).sub, claimsOf(first).sub)
  },
  'the access token at an API (RFC 9068), and not at the other tenant\'s': async (tenant, other) => {
    const own = await register(tenant, 'calls an API', {})
    const tokens = await signIn(own)
    const claims = await verified(own, await calling(tokens.access_token))
    assert.deepEqual([claims.sub, claims.client_id], [claimsOf(tokens).sub, own.client.client_id])
    await assert.rejects(verified(own, await calling(tokens.id_token)))
    await assert.rejects(verified(await register(other, 'another API', {}), await calling(tokens.access_token)))
  },
  'refresh, introspection and revocation': async (tenant) => {
    const own = await register(tenant, 'life of a token', {})
    const tokens = await signIn(own)
    const refreshed = await refresh(own, tokens.refresh_token)
    assert.notEqual(refreshed.access_token, tokens.access_token)
    const answer = await introspect(own, refreshed.access_token, { requestJwtResponse: false })
    assert.deepEqual([answer.active, answer.sub, answer.iss], [true, claimsOf(tokens).sub, tenant.issuer])
    await revoke(own, tokens.refresh_token)
    await assert.rejects(refresh(own, tokens.refresh_token), { error: 'invalid_grant' })
    assert.equal((await introspect(own, refreshed.access_token)).active, false)
  },
  'a signed answer about a token (RFC 9701)': async (tenant) => {
    for (const alg of ['ES256', 'RS256']) {
      const own = await register(tenant, `signed introspection ${alg}`, { introspection_signed_response_alg: alg })
      const tokens = await signIn(own)
      const answer = await introspect(own, tokens.access_token, { requestJwtResponse: true })
      assert.deepEqual([answer.active, answer.sub], [true, claimsOf(tokens).sub])
      assert.equal((await introspect(own, 'nonsense', { requestJwtResponse: true })).active, false)
    }
  },
  'userinfo, plain and signed': async (tenant) => {
    for (const alg of [undefined, 'ES256', 'PS256']) {
      const own = await register(tenant, `userinfo ${alg}`, { userinfo_signed_response_alg: alg })
      const tokens = await signIn(own)
      const response = await oauth.userInfoRequest(own.as, own.client, tokens.access_token, INSECURE)
      const info = await oauth.processUserInfoResponse(own.as, own.client, claimsOf(tokens).sub, response)
      if (alg) await oauth.validateApplicationLevelSignature(own.as, response, INSECURE)
      assert.equal(info.email, tenant.email)
    }
  },
  'a pushed request (RFC 9126)': async (tenant) => {
    const own = await register(tenant, 'pushes', { require_pushed_authorization_requests: true })
    const push = async (parameters) => {
      const response = await oauth.pushedAuthorizationRequest(own.as, own.client, own.auth, parameters, INSECURE)
      const { request_uri } = await oauth.processPushedAuthorizationResponse(own.as, own.client, response)
      return { client_id: own.client.client_id, request_uri }
    }
    assert.equal(claimsOf(await signIn(own, {}, { send: push })).tenant, tenant.slug)
    await assert.rejects(push({ redirect_uri: 'https://elsewhere.example/', response_type: 'code' }), { error: 'invalid_request' })
    await assert.rejects(signIn(own), { error: 'invalid_request' })
  },
  'a signed request object (RFC 9101), by the browser and pushed': async (tenant) => {
    const { jwks, key } = await clientKey()
    const own = await register(tenant, 'signs its requests', { jwks, require_signed_request_object: true, request_object_signing_alg: 'ES256' })
    const sign = async (parameters) => ({
      client_id: own.client.client_id, request: await oauth.issueRequestObject(own.as, own.client, parameters, key),
    })
    assert.equal(claimsOf(await signIn(own, {}, { send: sign })).tenant, tenant.slug)
    const push = async (parameters) => {
      const response = await oauth.pushedAuthorizationRequest(own.as, own.client, own.auth, await sign(parameters), INSECURE)
      const { request_uri } = await oauth.processPushedAuthorizationResponse(own.as, own.client, response)
      return { client_id: own.client.client_id, request_uri }
    }
    assert.equal(claimsOf(await signIn(own, {}, { send: push })).tenant, tenant.slug)
  },
  'a signed answer of the authorization endpoint (JARM), and a signed refusal': async (tenant) => {
    for (const [alg, mode, mark] of [['ES256', 'jwt', '?'], ['RS256', 'query.jwt', '?'], ['PS256', 'fragment.jwt', '#']]) {
      const own = await register(tenant, `signed answers ${alg}`, { authorization_signed_response_alg: alg })
      const check = async (asked) => {
        const url = await open(own, asked.parameters, mark)
        // What stands in the fragment an application reads itself.
        const given = new URLSearchParams(mark === '#' ? url.hash.slice(1) : url.search)
        assert.deepEqual([...given.keys()], ['response'])
        return oauth.validateJwtAuthResponse(own.as, own.client, given, asked.state, INSECURE)
      }
      const asked = await request(own, { response_mode: mode })
      assert.equal(claimsOf(await redeem(own, await check(asked), asked)).tenant, tenant.slug)
      const refused = await request(own, { response_mode: mode, prompt: 'none', max_age: '0' })
      await assert.rejects(check(refused), { error: 'login_required' })
    }
  },
  'a code and an ID token at once, in the fragment and by a form': async (tenant) => {
    const own = await register(tenant, 'hybrid', {
      response_types: ['code id_token'], grant_types: ['authorization_code', 'implicit', 'refresh_token'], application_type: 'native',
    })
    const hybrid = { response_type: 'code id_token', max_age: '600' }
    const asked = await request(own, hybrid)
    const answer = await open(own, asked.parameters, '#')
    // The second check is that of FAPI 1.0, which wants `s_hash` as well.
    for (const validate of [oauth.validateCodeIdTokenResponse, oauth.validateDetachedSignatureResponse]) {
      const checked = await validate(own.as, own.client, answer, asked.nonce, asked.state, 600, INSECURE)
      if (validate === oauth.validateCodeIdTokenResponse) {
        assert.equal(claimsOf(await redeem(own, checked, asked, { maxAge: 600 })).tenant, tenant.slug)
      }
    }
    const posted = await request(own, { ...hybrid, response_mode: 'form_post' })
    let form
    await own.browser.open(`${own.as.authorization_endpoint}?${new URLSearchParams(posted.parameters)}`, (page) => {
      form = parsePage(page).forms.find(({ attributes }) => attributes.action === REDIRECT)
      return Boolean(form)
    }, tenant)
    const fields = form.controls.filter(({ name }) => name).map(({ name, value }) => [name, value])
    const sent = new Request(REDIRECT, { method: 'POST', body: new URLSearchParams(fields) })
    const checked = await oauth.validateCodeIdTokenResponse(own.as, own.client, sent, posted.nonce, posted.state, 600, INSECURE)
    assert.equal(claimsOf(await redeem(own, checked, posted, { maxAge: 600 })).tenant, tenant.slug)
    // One that was made for another request: nothing of it may pass.
    await assert.rejects(oauth.validateCodeIdTokenResponse(own.as, own.client, answer, posted.nonce, asked.state, 600, INSECURE))
  },
  'a key that the client signs with (private_key_jwt)': async (tenant) => {
    // The last is what the library calls EdDSA of this curve (RFC 9864); a client that registers either name may use it.
    for (const alg of ['ES256', 'PS256', 'EdDSA', 'Ed25519']) {
      const { jwks, key } = await clientKey(alg)
      const metadata = { jwks, token_endpoint_auth_method: 'private_key_jwt', token_endpoint_auth_signing_alg: alg }
      await authenticates(await register(tenant, `signs by ${alg}`, metadata, () => oauth.PrivateKeyJwt(key)))
    }
  },
  'a secret that the client signs with (client_secret_jwt)': async (tenant) => {
    const metadata = { token_endpoint_auth_method: 'client_secret_jwt' }
    await authenticates(await register(tenant, 'signs by its secret', metadata, ({ client_secret: secret }) => oauth.ClientSecretJwt(secret)))
  },
  'tokens bound to a key (RFC 9449): code, refresh and API, with and without nonces': async (tenant) => {
    for (const demanded of [false, true]) {
      const own = await register(tenant, `proofs ${demanded}`, { dpop_bound_access_tokens: true, require_dpop_nonce: demanded })
      const pair = await oauth.generateKeyPair('ES256', { extractable: true })
      const DPoP = oauth.DPoP(own.client, pair)
      const dpop_jkt = await DPoP.calculateThumbprint()
      const tokens = await signIn(own, { dpop_jkt }, { DPoP })
      assert.equal(tokens.token_type, 'dpop')
      await assert.rejects(signIn(own), { error: 'invalid_dpop_proof' })
      const refreshed = await refresh(own, tokens.refresh_token, { DPoP })
      assert.equal(refreshed.token_type, 'dpop')
      assert.equal((await introspect(own, refreshed.access_token)).cnf.jkt, dpop_jkt)
      const endpoint = new URL(own.as.userinfo_endpoint)
      // A new handle knows no nonce, as a service's that gets the token from elsewhere.
      const fresh = oauth.DPoP(own.client, pair)
      const info = await withNonce(
        () => oauth.protectedResourceRequest(refreshed.access_token, 'GET', endpoint, undefined, null, { ...INSECURE, DPoP: fresh }),
        (response) => response.json(),
      )
      assert.equal(info.sub, claimsOf(tokens).sub)
      const stolen = oauth.DPoP(own.client, await oauth.generateKeyPair('ES256'))
      await assert.rejects(withNonce(
        () => oauth.protectedResourceRequest(refreshed.access_token, 'GET', endpoint, undefined, null, { ...INSECURE, DPoP: stolen }),
        (response) => response.json(),
      ), { code: oauth.WWW_AUTHENTICATE_CHALLENGE, status: 401 })
      // A service that verifies by itself takes the token with its proof, and not borne.
      const claims = await verified(own, await calling(refreshed.access_token, { DPoP: fresh }), { requireDPoP: true })
      assert.equal(claims.cnf.jkt, dpop_jkt)
      await assert.rejects(calling(refreshed.access_token).then((request) => verified(own, request)))
    }
  },
  'client credentials, for an API': async (tenant, other, target) => {
    const own = await register(tenant, 'machine', { grant_types: ['client_credentials'], response_types: [], redirect_uris: undefined, scope: 'stock:read', resources: [target] })
    const ask = async (parameters) => {
      const response = await oauth.clientCredentialsGrantRequest(own.as, own.client, own.auth, parameters, INSECURE)
      return oauth.processClientCredentialsResponse(own.as, own.client, response)
    }
    const tokens = await ask({ resource: target, scope: 'stock:read' })
    assert.equal(tokens.refresh_token, undefined)
    assert.equal(decodeJwt(tokens.access_token).aud, target)
    await assert.rejects(ask({ scope: 'openid stock:write' }), { error: 'invalid_scope' })
  },
  'a token exchanged for another service (RFC 8693)': async (tenant, other, target) => {
    const tokens = await signIn(await register(tenant, 'front', {}))
    const orders = await exchangingService(tenant, target)
    const { as } = await register(tenant, 'unused', {})
    const exchange = async (more) => {
      const parameters = { subject_token: tokens.access_token, subject_token_type: ACCESS_TOKEN, resource: target, ...more }
      const response = await oauth.genericTokenEndpointRequest(
        as, orders, oauth.ClientSecretBasic(orders.client_secret), EXCHANGE, parameters, INSECURE,
      )
      return oauth.processGenericTokenEndpointResponse(as, orders, response)
    }
    const exchanged = await exchange()
    const claims = decodeJwt(exchanged.access_token)
    assert.deepEqual([claims.sub, claims.aud, claims.act], [claimsOf(tokens).sub, target, { sub: orders.client_id }])
    await assert.rejects(exchange({ subject_token_type: 'urn:ietf:params:oauth:token-type:saml2' }), { error: 'invalid_request' })
    await assert.rejects(exchange({ subject_token: `${tokens.access_token}x` }), { error: 'invalid_request' })
  },
}

/** A client that authenticates by what it signs does so at each endpoint. */
async function authenticates(own) {
  const pushed = await oauth.pushedAuthorizationRequest(own.as, own.client, own.auth, (await request(own)).parameters, INSECURE)
  await oauth.processPushedAuthorizationResponse(own.as, own.client, pushed)
  const tokens = await signIn(own)
  assert.equal((await introspect(own, tokens.access_token)).active, true)
  await revoke(own, tokens.refresh_token)
  await assert.rejects(refresh(own, tokens.refresh_token), { error: 'invalid_grant' })
}

const SIGNED_BY = ['ES256', 'RS256', 'PS256']

/**
 * Has the tenant make its keys, and waits until the running server has them: the command that makes an algorithm's first one is another
 * process, and the library doesn't ask for keys again before it has had them for a minute.
 */
async function publishKeys(tenant) {
  for (const alg of SIGNED_BY) await register(tenant, `keys ${alg}`, { id_token_signed_response_alg: alg })
  for (let tries = 0; tries < 200; tries += 1) {
    const { keys } = await (await fetch(`${tenant.issuer}/jwks`)).json()
    if (SIGNED_BY.every((alg) => keys.some((key) => key.alg === alg))) return
    await sleep(50)
  }
  throw new Error(`${tenant.slug} publishes no keys for ${SIGNED_BY}`)
}

/** Three features of a tenant at once, as some wait; more of one person's sign-ins at once would be taken for guesses. */
async function run(tenant) {
  const other = tenants.find(({ slug }) => slug !== tenant.slug)
  const left = Object.entries(FEATURES)
  const work = async () => {
    for (let next = left.shift(); next; next = left.shift()) {
      const [name, feature] = next
      await report.flow(() => report.check(`${tenant.slug}: ${name}`, () => feature(tenant, other, targets[tenant.slug])))
    }
  }
  await Promise.all([work(), work(), work()])
}

const report = new Report()
const tenants = await quickstartTenants()
await Promise.all(tenants.map(publishKeys))
const targets = await exchangeTargets(tenants)
await Promise.all(tenants.map(run))
report.finish()
