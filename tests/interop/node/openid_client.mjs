// openid-client: whole code flows on both tenants, by several ways of authenticating the client.
import * as oidc from 'openid-client'
import assert from 'node:assert/strict'
import { clientKey } from './client_key.mjs'
import { CookieBrowser } from './cookie_browser.mjs'
import { Report, createClient, quickstartTenants } from './interop.mjs'

const REDIRECT = 'http://127.0.0.1:39872/callback'
const SIGNED_OUT = 'http://127.0.0.1:39872/signed-out'
const SCOPE = 'openid profile email offline_access'

const VARIANTS = [
  { method: 'client_secret_basic', alg: 'ES256' },
  { method: 'client_secret_post', alg: 'RS256' },
  { method: 'private_key_jwt', alg: 'PS256' },
  { method: 'none', alg: 'EdDSA' },
]

async function register(tenant, { method, alg }) {
  const metadata = {
    client_name: `openid-client ${method}`,
    redirect_uris: [REDIRECT],
    post_logout_redirect_uris: [SIGNED_OUT],
    token_endpoint_auth_method: method,
    id_token_signed_response_alg: alg,
  }
  let key
  if (method === 'private_key_jwt') {
    const own = await clientKey()
    metadata.jwks = own.jwks
    key = own.key
  }
  return { registration: await createClient(tenant, metadata), key }
}

function authentication({ registration, key }) {
  switch (registration.token_endpoint_auth_method) {
    case 'client_secret_basic': return oidc.ClientSecretBasic(registration.client_secret)
    case 'client_secret_post': return oidc.ClientSecretPost(registration.client_secret)
    case 'private_key_jwt': return oidc.PrivateKeyJwt(key)
    case 'none': return oidc.None()
    default: throw new Error(`unexpected ${registration.token_endpoint_auth_method}`)
  }
}

async function configure(tenant, registered, algorithm = 'oidc') {
  const { registration } = registered
  const config = await oidc.discovery(
    new URL(tenant.issuer),
    registration.client_id,
    registration,
    authentication(registered),
    // The loopback interface, without TLS; and every signature is checked, which TLS would otherwise stand for.
    { execute: [oidc.allowInsecureRequests, oidc.enableNonRepudiationChecks], algorithm },
  )
  assert.equal(config.serverMetadata().issuer, tenant.issuer)
  return config
}

async function signIn(config, tenant, browser, parameters = {}) {
  const pkceCodeVerifier = oidc.randomPKCECodeVerifier()
  const expectedState = oidc.randomState()
  const expectedNonce = oidc.randomNonce()
  const url = oidc.buildAuthorizationUrl(config, {
    redirect_uri: REDIRECT,
    scope: SCOPE,
    code_challenge: await oidc.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    state: expectedState,
    nonce: expectedNonce,
    ...parameters,
  })
  const answer = await browser.open(url, `${REDIRECT}?`, tenant)
  assert.equal(answer.searchParams.get('iss'), tenant.issuer, 'RFC 9207: the response names its issuer')
  return oidc.authorizationCodeGrant(config, answer, {
    pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true,
  })
}

async function runFlow(report, tenant, other, variant) {
  const check = (name, body) => report.check(`${tenant.slug} ${variant.method} ${variant.alg}: ${name}`, body)
  const browser = new CookieBrowser()

  const registered = await check('the client is registered', () => register(tenant, variant))
  const config = await check('both forms of discovery', async () => {
    await configure(tenant, registered, 'oauth2')
    return configure(tenant, registered)
  })
  const tokens = await check('sign-in with PKCE, state and nonce ends in valid tokens', async () => {
    const response = await signIn(config, tenant, browser)
    assert.equal(response.token_type, 'bearer')
    assert.ok(response.refresh_token, 'there is no refresh token')
    return response
  })
  const claims = tokens.claims()
  await check('the ID token names the tenant', () => {
    assert.equal(claims.tenant, tenant.slug)
    assert.match(claims.tenant_id, /^[0-9a-f]{8}-[0-9a-f]{4}-/)
  })
  await check('single sign-on: a second application needs no password', async () => {
    const again = await signIn(config, { issuer: tenant.issuer }, browser, { prompt: 'none' }).catch((error) => {
      throw new Error(`prompt=none: ${error.message}`)
    })
    assert.equal(again.claims().sub, claims.sub)
  })
  await check('userinfo is the same person', async () => {
    const info = await oidc.fetchUserInfo(config, tokens.access_token, claims.sub)
    assert.equal(info.email, tenant.email)
  })
  await check(`${other.slug} refuses the code, the access token and the client`, async () => {
    const foreign = await configure(other, registered)
    await assert.rejects(oidc.fetchUserInfo(foreign, tokens.access_token, claims.sub), (error) => {
      assert.equal(error.status ?? error.cause?.status, 401)
      return true
    })
    await assert.rejects(oidc.refreshTokenGrant(foreign, tokens.refresh_token), (error) => {
      // A challenge (RFC 6749 §5.2, after HTTP Basic) hides the body's error from the client.
      if (error.code === 'OAUTH_WWW_AUTHENTICATE_CHALLENGE') assert.equal(error.status, 401)
      else assert.equal(error.error, 'invalid_client')
      return true
    })
  })
  const refreshed = await check('the refresh token brings new tokens', async () => {
    const response = await oidc.refreshTokenGrant(config, tokens.refresh_token)
    assert.notEqual(response.access_token, tokens.access_token)
    assert.equal(response.claims()?.sub ?? claims.sub, claims.sub)
    return response
  })
  const refreshToken = refreshed.refresh_token ?? tokens.refresh_token
  if (variant.method !== 'none') {
    await check('introspection shows the token as active', async () => {
      const answer = await oidc.tokenIntrospection(config, refreshed.access_token)
      assert.equal(answer.active, true)
      assert.equal(answer.sub, claims.sub)
    })
  }
  await check('revocation ends the grant', async () => {
    await oidc.tokenRevocation(config, refreshToken, { token_type_hint: 'refresh_token' })
    await assert.rejects(oidc.refreshTokenGrant(config, refreshToken), { error: 'invalid_grant' })
    if (variant.method !== 'none') {
      assert.equal((await oidc.tokenIntrospection(config, refreshed.access_token)).active, false)
    }
  })
  await check('a replayed code is refused', async () => {
    const replay = await replayedCode(config, tenant, browser)
    assert.equal(replay, 'invalid_grant')
  })
  await check('signing out ends the session and returns to the application', async () => {
    const state = oidc.randomState()
    const url = oidc.buildEndSessionUrl(config, {
      id_token_hint: tokens.id_token, post_logout_redirect_uri: SIGNED_OUT, state,
    })
    const answer = await browser.open(url, SIGNED_OUT)
    assert.equal(answer.searchParams.get('state'), state)
    await assert.rejects(signIn(config, tenant, browser, { prompt: 'none' }), { error: 'login_required' })
  })
}

async function replayedCode(config, tenant, browser) {
  const pkceCodeVerifier = oidc.randomPKCECodeVerifier()
  const url = oidc.buildAuthorizationUrl(config, {
    redirect_uri: REDIRECT,
    scope: 'openid',
    code_challenge: await oidc.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
  })
  const answer = await browser.open(url, `${REDIRECT}?`, tenant)
  await oidc.authorizationCodeGrant(config, answer, { pkceCodeVerifier, idTokenExpected: true })
  try {
    await oidc.authorizationCodeGrant(config, answer, { pkceCodeVerifier, idTokenExpected: true })
  } catch (error) {
    return error.error ?? error.message
  }
  return 'accepted'
}

/** The quickstart's machine client, as it is printed. */
async function clientCredentials(report, tenant) {
  await report.check(`${tenant.slug}: the machine client gets a token of its own`, async () => {
    const registration = tenant.clients.find(
      ({ grant_types: grants }) => grants.includes('client_credentials') && !grants.includes('authorization_code'),
    )
    const config = await configure(tenant, { registration })
    const tokens = await oidc.clientCredentialsGrant(config)
    assert.equal(tokens.token_type, 'bearer')
    assert.equal(tokens.refresh_token, undefined)
  })
}

const report = new Report()
const tenants = await quickstartTenants()
for (const tenant of tenants) {
  const other = tenants.find(({ slug }) => slug !== tenant.slug)
  for (const variant of VARIANTS) await report.flow(() => runFlow(report, tenant, other, variant))
  await report.flow(() => clientCredentials(report, tenant))
}
report.finish()
