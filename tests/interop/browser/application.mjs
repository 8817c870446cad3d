// An application on this machine, and how people sign in to it.
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { follow } from './pages.mjs'

const require = createRequire(new URL('../node/package.json', import.meta.url))
const openid = await import(require.resolve('openid-client'))

/** It receives authorization responses; told of a sign-out at `/told` it says yes, at `/busy` that it has no time. */
export async function application() {
  let arrived
  const server = createServer((request, response) => {
    const url = new URL(request.url, `http://127.0.0.1:${server.address().port}`)
    if (url.pathname === '/callback') arrived?.(url)
    response.statusCode = { '/told': 204, '/busy': 503 }[url.pathname] ?? 200
    response.end(response.statusCode === 200 ? '<!doctype html><title>Application</title><h1>Application</h1>' : '')
  })
  await new Promise((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address()
  return {
    origin: `http://localhost:${port}`,
    redirectUri: `http://127.0.0.1:${port}/callback`,
    answer: () => new Promise((done) => (arrived = done)),
    close: () => server.close(),
  }
}

/** A client of the application's, by its `client_id` and secret. */
export const clientOf = (issuer, id, secret) =>
  openid.discovery(new URL(issuer), id, undefined, openid.ClientSecretBasic(secret), { execute: [openid.allowInsecureRequests] })

/** A whole sign-in at the application; the claims of its ID token, or undefined where the person is refused. */
export async function signIn(page, client, app, person, scope = 'openid') {
  const verifier = openid.randomPKCECodeVerifier()
  const [state, nonce] = [openid.randomState(), openid.randomNonce()]
  const url = openid.buildAuthorizationUrl(client, {
    redirect_uri: app.redirectUri,
    scope,
    code_challenge: await openid.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    nonce,
  })
  const answered = app.answer()
  await page.goto(url.href)
  if (await page.locator('#username').count()) {
    await page.fill('#username', person.email)
    await page.fill('#password', person.password)
    await follow(page, '#submit')
  }
  if (await page.locator('#allow').count()) await follow(page, '#allow')
  if (await page.locator('#problem').count()) return undefined
  const tokens = await openid.authorizationCodeGrant(client, await answered, {
    pkceCodeVerifier: verifier,
    expectedState: state,
    expectedNonce: nonce,
  })
  return tokens.claims()
}
