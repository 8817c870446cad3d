// Signing out as an application notices it, in Chromium: by the server (back channel), in frames (front channel), and by asking a frame
// (session management). The application is a small server of this program; it and the provider are both at localhost, so that the
// browser gives their frames cookies.
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import { Report, createClient, quickstartTenants, readQuickstart, tessera } from '../node/interop.mjs'
import { follow, launch, picture, watch } from './pages.mjs'

/** An application: `/callback` keeps a cookie, `/out` drops it, `/ask` frames the provider's page, `/tokens` takes logout tokens. */
class Application {
  seen = []
  tokens = []
  slow = false

  async start(name) {
    this.name = name
    this.server = createServer((request, response) => this.answer(request, response).catch((error) => {
      console.error(error)
      response.writeHead(500).end()
    }))
    await new Promise((listening) => this.server.listen(0, '127.0.0.1', listening))
    this.origin = `http://localhost:${this.server.address().port}`
  }

  async answer(request, response) {
    const url = new URL(request.url, this.origin)
    const html = (body, headers = {}) => response.writeHead(200, { 'content-type': 'text/html', 'cache-control': 'no-store', ...headers }).end(`<!doctype html><title>${this.name}</title>${body}`)
    switch (url.pathname) {
      case '/callback':
        this.answerOf = Object.fromEntries(url.searchParams)
        return html('<p id="in">in</p>', { 'set-cookie': `${this.name}=in; Path=/` })
      case '/out':
        this.seen.push({ cookie: request.headers.cookie ?? '', query: Object.fromEntries(url.searchParams) })
        if (this.slow) return
        return html('out', { 'set-cookie': `${this.name}=; Path=/; Max-Age=0` })
      case '/tokens': {
        let body = ''
        for await (const chunk of request) body += chunk
        this.tokens.push(new URLSearchParams(body).get('logout_token'))
        return response.writeHead(204).end()
      }
      case '/ask':
        return html(`<iframe id="op" src="${url.searchParams.get('frame')}"></iframe><script>
          globalThis.asked = (message) => new Promise((said) => {
            addEventListener('message', (event) => said({ origin: event.origin, data: event.data }), { once: true })
            document.getElementById('op').contentWindow.postMessage(message, '*')
          })</script>`)
      default:
        return html(`<p id="bye">bye ${url.search}</p>`)
    }
  }

  async register(tenant, metadata) {
    this.client = await createClient(tenant, {
      client_name: this.name, redirect_uris: [`${this.origin}/callback`], post_logout_redirect_uris: [`${this.origin}/bye`],
      skip_consent: true, require_pkce: true, ...metadata,
    })
    this.verifier = randomBytes(32).toString('base64url')
  }

  url(tenant, more = {}) {
    const challenge = createHash('sha256').update(this.verifier).digest('base64url')
    return `${tenant.issuer}/authorize?${new URLSearchParams({
      client_id: this.client.client_id, redirect_uri: `${this.origin}/callback`, response_type: 'code', scope: 'openid',
      code_challenge: challenge, code_challenge_method: 'S256', state: 'x', ...more,
    })}`
  }

  /** Signs the person in, and gives the ID token. */
  async signIn(page, tenant) {
    await page.goto(this.url(tenant))
    if (await page.locator('#username').count()) {
      await page.fill('#username', tenant.email)
      await page.fill('#password', tenant.password)
      await follow(page, '#submit')
    }
    await page.waitForSelector('#in')
    const response = await fetch(`${tenant.issuer}/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`${this.client.client_id}:${this.client.client_secret}`).toString('base64')}` },
      body: new URLSearchParams({ grant_type: 'authorization_code', code: this.answerOf.code, redirect_uri: `${this.origin}/callback`, code_verifier: this.verifier }),
    })
    assert.equal(response.status, 200)
    return (await response.json()).id_token
  }
}

const claims = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url'))
const signOut = (tenant, hint, back) => `${tenant.issuer}/logout?${new URLSearchParams({ id_token_hint: hint, ...(back ? { post_logout_redirect_uri: back, state: 'after' } : {}) })}`

async function waitFor(what, look) {
  for (let tries = 0; tries < 200; tries++) {
    if (look()) return
    await new Promise((later) => setTimeout(later, 25))
  }
  assert.fail(what)
}

async function noticed(report, browser, tenant) {
  const check = (name, body) => report.check(`${tenant.slug}: ${name}`, body)
  const [orders, board] = [new Application(), new Application()]
  await orders.start('orders')
  await board.start('board')
  const context = await browser.newContext()
  const page = await context.newPage()
  const faults = []
  watch(page, faults)
  try {
    await check('two applications say where they listen', async () => {
      const channels = (app) => ({ frontchannel_logout_uri: `${app.origin}/out`, frontchannel_logout_session_required: true, backchannel_logout_uri: `${app.origin}/tokens` })
      await orders.register(tenant, channels(orders))
      await board.register(tenant, channels(board))
    })
    await check('a sign-out is noticed in frames and by the server, and leads back', async () => {
      const hint = await orders.signIn(page, tenant)
      await board.signIn(page, tenant)
      await page.goto(signOut(tenant, hint, `${orders.origin}/bye`))
      await page.waitForURL(`${orders.origin}/bye?state=after`)
      for (const app of [orders, board]) {
        assert.equal(app.seen.length, 1)
        assert.match(app.seen[0].cookie, new RegExp(`${app.name}=in`), 'the frame has the application\'s cookie')
        assert.equal(app.seen[0].query.iss, tenant.issuer)
        assert.equal(app.seen[0].query.sid, claims(hint).sid)
        await waitFor('a logout token', () => app.tokens.length === 1)
        assert.equal(claims(app.tokens[0]).sid, claims(hint).sid)
      }
      assert.ok(!(await context.cookies()).some(({ name }) => name === 'orders' || name === 'board'), 'the applications forgot the person')
    })
    await check('an administrator sees who was told, and what failed', async () => {
      const { tenants } = await readQuickstart()
      const people = tenants.find(({ slug }) => slug === tenant.slug).users
      const admin = people.find(({ roles }) => roles?.includes('administrator')) ?? people[0]
      const own = await browser.newContext()
      const desk = await own.newPage()
      watch(desk, faults)
      await desk.goto(`${tenant.issuer}/console/logout-deliveries`)
      await desk.fill('#username', admin.email)
      await desk.fill('#password', admin.password)
      await follow(desk, '#submit')
      await desk.goto(`${tenant.issuer}/console/logout-deliveries`)
      const rows = () => Promise.all([orders, board].map(({ name }) => desk.locator('tbody tr', { hasText: name }).count()))
      assert.deepEqual(await rows(), [1, 1])
      await desk.goto(`${tenant.issuer}/console/logout-deliveries?state=failed`)
      assert.deepEqual(await rows(), [0, 0])
      await own.close()
    })
    await check('a frame that doesn\'t answer holds nobody up', async () => {
      const hint = await orders.signIn(page, tenant)
      await board.signIn(page, tenant)
      board.slow = true
      const begun = Date.now()
      await page.goto(signOut(tenant, hint, `${orders.origin}/bye`), { waitUntil: 'domcontentloaded' })
      await page.waitForURL(`${orders.origin}/bye?state=after`)
      assert.ok(Date.now() - begun < 10_000)
      board.slow = false
    })
    await check('without script the page leads on as well', async () => {
      const plain = await browser.newContext({ javaScriptEnabled: false })
      const still = await plain.newPage()
      const hint = await orders.signIn(still, tenant)
      await still.goto(signOut(tenant, hint, `${orders.origin}/bye`))
      await follow(still, '#continue')
      assert.match(still.url(), /\/bye\?state=after$/)
      const again = await orders.signIn(still, tenant)
      await still.goto(signOut(tenant, again, `${orders.origin}/bye`))
      await still.waitForURL(`${orders.origin}/bye?state=after`, { timeout: 15_000 })
      await plain.close()
    })
    await check('without a way back the page stays, and is fit to be seen', async () => {
      const hint = await orders.signIn(page, tenant)
      const before = orders.seen.length
      await page.goto(signOut(tenant, hint))
      await waitFor('a frame', () => orders.seen.length > before)
      assert.equal(await page.locator('h1').count(), 1)
      await picture(page, `signed-out-frames-${tenant.slug}`)
    })
    await check('a frame tells an application whether the person is still there', async () => {
      await tessera('tenant', 'update', tenant.slug, '--set', 'session_management=true')
      let metadata
      for (let tries = 0; tries < 100 && !metadata?.check_session_iframe; tries++) {
        metadata = await (await fetch(`${tenant.issuer}/.well-known/openid-configuration`)).json()
        await new Promise((later) => setTimeout(later, 50))
      }
      const hint = await orders.signIn(page, tenant)
      const state = orders.answerOf.session_state
      assert.ok(state, 'no session_state')
      const asking = await context.newPage()
      watch(asking, faults)
      await asking.goto(`${orders.origin}/ask?frame=${encodeURIComponent(metadata.check_session_iframe)}`)
      const ask = (message) => asking.evaluate((message) => globalThis.asked(message), message)
      const said = (data) => ({ origin: new URL(tenant.issuer).origin, data })
      const question = `${orders.client.client_id} ${state}`
      assert.deepEqual(await ask(question), said('unchanged'))
      assert.deepEqual(await ask(`${board.client.client_id} ${state}`), said('changed'), 'another client')
      assert.deepEqual(await ask('nonsense'), said('error'))
      const elsewhere = await context.newPage()
      await elsewhere.goto(`${board.origin}/ask?frame=${encodeURIComponent(metadata.check_session_iframe)}`)
      assert.deepEqual(await elsewhere.evaluate((message) => globalThis.asked(message), question), said('changed'), 'another origin')
      await page.goto(signOut(tenant, hint))
      assert.deepEqual(await ask(question), said('changed'))
      await page.goto(orders.url(tenant, { prompt: 'none' }))
      assert.equal(orders.answerOf.error, 'login_required')
      assert.deepEqual(await ask(`${orders.client.client_id} ${orders.answerOf.session_state}`), said('unchanged'))
      await context.clearCookies()
      assert.deepEqual(await ask(question), said('error'), 'without its cookie it knows nothing')
      await tessera('tenant', 'update', tenant.slug, '--set', 'session_management=false')
    })
    await check('no page failed or broke its content security policy', () => assert.deepEqual(faults, []))
  } finally {
    await context.close()
    for (const app of [orders, board]) app.server.closeAllConnections()
    for (const app of [orders, board]) app.server.close()
  }
}

const report = new Report()
const tenants = await quickstartTenants()
const browser = await launch()
try {
  for (const tenant of tenants) await report.flow(() => noticed(report, browser, tenant))
} finally {
  await browser.close()
}
report.finish()
