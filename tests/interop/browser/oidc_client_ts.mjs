// oidc-client-ts in Chromium, as a browser application has it: a page of its own on another origin, no secret, no server behind it.
// The application and the provider are both at localhost, so that the browser gives the provider's frames their cookies.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { Report, createClient, quickstartTenants, tessera } from '../node/interop.mjs'
import { follow, launch, watch } from './pages.mjs'

const require = createRequire(new URL('../node/package.json', import.meta.url))
const library = await readFile(require.resolve('oidc-client-ts').replace(/[^/]*\/[^/]*$/, 'browser/oidc-client-ts.min.js'), 'utf8')
const script = await readFile(new URL('oidc_client_ts_page.js', import.meta.url), 'utf8')

/** A server of static files, and of the settings of the application that is looked at. */
class Application {
  settings = {}

  async start() {
    this.server = createServer((request, response) => {
      const { pathname } = new URL(request.url, this.origin)
      const javascript = { '/library.js': library, '/page.js': script, '/settings.js': `globalThis.settings = ${JSON.stringify(this.settings)}` }[pathname]
      const page = `<!doctype html><title>board</title><body><p id="state">working</p>
        <script src="/library.js"></script><script src="/settings.js"></script><script src="/page.js"></script>`
      response.writeHead(200, { 'content-type': javascript ? 'text/javascript' : 'text/html', 'cache-control': 'no-store' }).end(javascript ?? page)
    })
    await new Promise((listening) => this.server.listen(0, '127.0.0.1', listening))
    this.origin = `http://localhost:${this.server.address().port}`
  }

  /** Registers a client, and makes it the one that the page is. */
  async register(tenant, metadata = {}, settings = {}) {
    this.client = await createClient(tenant, {
      client_name: 'board',
      token_endpoint_auth_method: 'none',
      redirect_uris: ['/callback', '/popup', '/opener', '/silent'].map((path) => this.origin + path),
      post_logout_redirect_uris: ['/bye', '/popup-bye', '/opener'].map((path) => this.origin + path),
      skip_consent: true,
      ...metadata,
    })
    this.settings = {
      authority: tenant.issuer,
      client_id: this.client.client_id,
      redirect_uri: `${this.origin}/callback`,
      popup_redirect_uri: `${this.origin}/popup`,
      silent_redirect_uri: `${this.origin}/silent`,
      post_logout_redirect_uri: `${this.origin}/bye`,
      popup_post_logout_redirect_uri: `${this.origin}/popup-bye`,
      scope: 'openid profile email',
      loadUserInfo: true,
      automaticSilentRenew: false,
      // Without it an answer that doesn't come is waited for as long as the page is there.
      requestTimeoutInSeconds: 30,
      ...settings,
    }
  }
}

/** Waits for what the page's own code came to. */
async function settled(page) {
  await page.waitForFunction(() => document.getElementById('state')?.innerText !== 'working')
  return page.locator('#state').innerText()
}

async function fillIn(page, tenant) {
  await page.waitForSelector('#username')
  await page.fill('#username', tenant.email)
  await page.fill('#password', tenant.password)
  await follow(page, '#submit')
}

/** Opens the application and calls a method of its user manager that leads away. */
async function leave(page, app, method, options) {
  await page.goto(app.origin)
  await settled(page)
  await page.evaluate(([method, options]) => { globalThis.users[method](options) }, [method, options])
}

async function signIn(page, app, tenant) {
  await leave(page, app, 'signinRedirect', {})
  const arrived = () => page.waitForFunction(() =>
    document.getElementById('username') ?? !['working', 'signed out'].includes(document.getElementById('state')?.innerText ?? 'working'))
  await arrived()
  if (await page.locator('#username').count()) {
    await fillIn(page, tenant)
    await arrived()
  }
  assert.equal(await settled(page), 'signed in')
}

const userOf = (page) => page.evaluate(async () => {
  const user = await globalThis.users.getUser()
  return user && { ...user, expires_in: user.expires_in }
})

/** Calls a method of the user manager, and gives its user or its error. */
const call = (page, method, options) => page.evaluate(async ([method, options]) => {
  try {
    const user = await globalThis.users[method](options)
    return user ? { ...user } : {}
  } catch (error) {
    return { error: error.error ?? error.message }
  }
}, [method, options])

async function waitFor(what, look) {
  for (let tries = 0; tries < 200; tries += 1) {
    const found = await look()
    if (found) return found
    await new Promise((later) => setTimeout(later, 50))
  }
  return assert.fail(what)
}

async function board(report, browser, tenant) {
  const app = new Application()
  await app.start()
  const context = await browser.newContext()
  const unanswered = new Set()
  context.on('request', (request) => unanswered.add(request))
  for (const end of ['requestfinished', 'requestfailed']) context.on(end, (request) => unanswered.delete(request))
  const urls = (things) => [...things].map((thing) => thing.url()).join(' ') || 'none'
  const circumstances = () => `open pages: ${urls(context.pages())}; requests without an answer: ${urls(unanswered)}`
  const check = (name, body) => report.check(`${tenant.slug}: ${name}`, body, circumstances)
  const page = await context.newPage()
  const faults = []
  context.on('page', (opened) => watch(opened, faults))
  watch(page, faults)
  try {
    await check('a browser application needs no more than its redirect URIs', async () => {
      await app.register(tenant)
      assert.equal(app.client.client_secret, undefined)
      await page.goto(app.origin)
      assert.equal(await settled(page), 'signed out')
    })
    await check('nobody is there: a silent sign-in says so', async () => {
      assert.deepEqual(await call(page, 'signinSilent'), { error: 'login_required' })
    })
    await check('sign-in by redirect, with userinfo', async () => {
      await signIn(page, app, tenant)
      const user = await userOf(page)
      assert.equal(user.profile.email, tenant.email)
      assert.equal(user.profile.tenant, tenant.slug)
      assert.equal(user.refresh_token, undefined)
    })
    await check('silent renewal in a frame', async () => {
      const before = await userOf(page)
      const renewed = await call(page, 'signinSilent')
      assert.equal(renewed.error, undefined)
      assert.notEqual(renewed.access_token, before.access_token)
      assert.equal(renewed.profile.sub, before.profile.sub)
      assert.equal(renewed.profile.sid, before.profile.sid)
    })
    await check('its origin, and no other, may read what the endpoints answer', async () => {
      const { access_token: token } = await userOf(page)
      const ask = (at) => at.evaluate(async ([url, token]) => {
        try {
          return (await fetch(url, { headers: { authorization: `Bearer ${token}` } })).status
        } catch (error) {
          return error.name
        }
      }, [`${tenant.issuer}/userinfo`, token])
      assert.equal(await ask(page), 200)
      const foreign = await browser.newContext()
      const stranger = await foreign.newPage()
      const address = app.origin.replace('localhost', '127.0.0.1')
      await stranger.goto(address)
      assert.equal(await ask(stranger), 'TypeError')
      // An application whose pages are elsewhere than its redirect URIs names their origin.
      await createClient(tenant, { client_name: 'elsewhere', redirect_uris: [`${app.origin}/callback`], allowed_origins: [address] })
      await waitFor('the origin to be admitted', async () => (await ask(stranger)) === 200)
      await foreign.close()
    })
    await check('sign-out by redirect', async () => {
      await leave(page, app, 'signoutRedirect', { state: 'after' })
      await page.waitForURL(`${app.origin}/bye?**`)
      assert.equal(await settled(page), 'signed out: after')
      assert.equal(await userOf(page), null)
      assert.deepEqual(await call(page, 'signinSilent'), { error: 'login_required' })
    })
    await check('sign-in and sign-out in a popup', async () => {
      await page.goto(app.origin)
      await settled(page)
      const [popup] = await Promise.all([context.waitForEvent('page'), page.evaluate(() => { globalThis.signingIn = globalThis.users.signinPopup() })])
      await popup.waitForSelector('#username')
      await popup.fill('#username', tenant.email)
      await popup.fill('#password', tenant.password)
      await Promise.all([popup.waitForEvent('close'), popup.click('#submit')])
      const signedIn = await page.evaluate(async () => (await globalThis.signingIn).profile)
      assert.equal(signedIn.email, tenant.email)
      const [bye] = await Promise.all([context.waitForEvent('page'), page.evaluate(() => { globalThis.signingOut = globalThis.users.signoutPopup() })])
      if (!bye.isClosed()) await bye.waitForEvent('close')
      await page.evaluate(() => globalThis.signingOut)
      assert.deepEqual(await call(page, 'signinSilent'), { error: 'login_required' })
    })
    await check('a window that tells its opener, where an administrator lets it, and not otherwise', async () => {
      for (const popup_sign_in of [true, false]) {
        const own = await browser.newContext()
        try {
          await app.register(tenant, { popup_sign_in, skip_consent: false })
          const board = await own.newPage()
          watch(board, faults)
          await board.goto(app.origin)
          await settled(board)
          const [popup] = await Promise.all([own.waitForEvent('page'), board.evaluate(() => { globalThis.signingIn = globalThis.signinByOpener() })])
          await popup.waitForSelector('#username')
          // A page of ours has its opener or none, and is in no frame.
          assert.equal(await popup.evaluate(() => window.opener !== null), popup_sign_in)
          await popup.fill('#username', tenant.email)
          await popup.fill('#password', tenant.password)
          await follow(popup, '#submit')
          await popup.waitForSelector('#allow')
          await Promise.all([popup_sign_in ? popup.waitForEvent('close') : popup.waitForURL(`${app.origin}/opener?**`), popup.click('#allow')])
          const signedIn = await board.evaluate(() => globalThis.signingIn)
          assert.equal(popup_sign_in ? signedIn.email : signedIn, popup_sign_in ? tenant.email : 'nothing')
          if (!popup_sign_in) continue
          const [bye] = await Promise.all([
            own.waitForEvent('page'), board.evaluate((hint) => { globalThis.signingOut = globalThis.signoutByOpener(hint) }, signedIn.id_token),
          ])
          if (!bye.isClosed()) await bye.waitForEvent('close')
          assert.equal(await board.evaluate(() => globalThis.signingOut), 'by opener')
        } finally {
          await own.close()
        }
      }
    })
    await check('renewal by refresh token, by itself before the token ends', async () => {
      // The token of five minutes is renewed as soon as it is there.
      const early = { automaticSilentRenew: true, accessTokenExpiringNotificationTimeInSeconds: 298 }
      await app.register(tenant, {}, { scope: 'openid profile email offline_access', ...early })
      await signIn(page, app, tenant)
      const first = await userOf(page)
      assert.ok(first.refresh_token, 'no refresh token')
      const second = await waitFor('a renewed token', async () => {
        const user = await userOf(page)
        return user.access_token !== first.access_token && user
      })
      // Those of public clients rotate.
      assert.notEqual(second.refresh_token, first.refresh_token)
      app.settings.automaticSilentRenew = false
      await page.goto(app.origin)
      await settled(page)
      assert.equal(await page.evaluate(() => globalThis.users.revokeTokens().then(() => 'revoked')), 'revoked')
      assert.equal((await userOf(page)).refresh_token, null)
    })
    await check('consent that is refused is an error of the application\'s', async () => {
      await app.register(tenant, { skip_consent: false })
      await leave(page, app, 'signinRedirect', {})
      await page.waitForSelector('#username, #deny')
      if (await page.locator('#username').count()) await fillIn(page, tenant)
      await page.waitForSelector('#deny')
      // Nobody was asked yet: a frame can't ask either.
      const silent = await context.newPage()
      await silent.goto(app.origin)
      await settled(silent)
      assert.deepEqual(await call(silent, 'signinSilent'), { error: 'consent_required' })
      await silent.close()
      await follow(page, '#deny')
      assert.match(page.url(), /\/callback\?/)
      assert.equal(await settled(page), 'error: access_denied')
      assert.equal(await userOf(page), null)
    })
    await check('tokens bound to a key of the browser, with the server\'s nonces', async () => {
      await app.register(tenant, { dpop_bound_access_tokens: true, require_dpop_nonce: true }, {
        scope: 'openid profile email offline_access', loadUserInfo: false, dpop: { bind_authorization_code: true },
      })
      await signIn(page, app, tenant)
      const user = await userOf(page)
      assert.equal(user.token_type, 'DPoP')
      const renewed = await call(page, 'signinSilent')
      assert.notEqual(renewed.access_token, user.access_token)
      const info = await page.evaluate(async (url) => {
        const user = await globalThis.users.getUser()
        const ask = async (nonce) => fetch(url, {
          headers: { authorization: `DPoP ${user.access_token}`, DPoP: await globalThis.users.dpopProof(url, user, 'GET', nonce) },
        })
        const first = await ask()
        return { first: first.status, second: await (await ask(first.headers.get('dpop-nonce'))).json() }
      }, `${tenant.issuer}/userinfo`)
      assert.deepEqual([info.first, info.second.sub], [401, user.profile.sub])
      // The two answers that name a nonce.
      const wanted = [`400 ${tenant.issuer}/token`, `401 ${tenant.issuer}/userinfo`]
      assert.deepEqual(faults.splice(0).filter((fault) => !wanted.includes(fault)), [])
    })
    await check('a sign-out elsewhere is noticed', async () => {
      await app.register(tenant, {}, { monitorSession: true, checkSessionIntervalInSeconds: 1 })
      await signIn(page, app, tenant)
      const user = await userOf(page)
      assert.ok(user.session_state, 'no session_state')
      const told = () => page.evaluate(() => globalThis.told)
      // Longer than the interval: nothing has happened, and nothing is told.
      await new Promise((later) => setTimeout(later, 2_500))
      assert.deepEqual(await told(), [])
      const elsewhere = await context.newPage()
      await elsewhere.goto(`${tenant.issuer}/logout?${new URLSearchParams({ id_token_hint: user.id_token })}`)
      await waitFor('the application to notice', async () => (await told()).includes('UserSignedOut'))
      assert.equal(await settled(page), 'signed out elsewhere')
      await elsewhere.close()
    })
    await check('no page failed or broke its content security policy', () => assert.deepEqual(faults, []))
  } finally {
    await context.close()
    app.server.closeAllConnections()
    app.server.close()
  }
}

/** A setting of every tenant, and waits until the server's metadata shows it: a browser keeps what it has read for minutes. */
async function manageSessions(tenants, wanted) {
  for (const { slug, issuer } of tenants) {
    await tessera('tenant', 'update', slug, '--set', `session_management=${wanted}`)
    await waitFor('the metadata to follow', async () => {
      const metadata = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json()
      return ('check_session_iframe' in metadata) === wanted
    })
  }
}

const report = new Report()
const tenants = await quickstartTenants()
await manageSessions(tenants, true)
const browser = await launch()
try {
  // Side by side, as the application waits for what comes by itself.
  await Promise.all(tenants.map((tenant) => report.flow(() => board(report, browser, tenant))))
} finally {
  await browser.close()
  await manageSessions(tenants, false)
}
report.finish()
