// The console as its people have it, in Chromium: a journey, on which an application is registered, somebody signs in to it, is shut out,
// and the audit tells all of it; then every page is looked at.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { Report, quickstartTenants, readQuickstart } from '../node/interop.mjs'
import { application, clientOf, signIn } from './application.mjs'
import { enter, enterAnew, everyPage } from './console_tour.mjs'
import { follow, launch, picture, watch } from './pages.mjs'

const require = createRequire(new URL('../node/package.json', import.meta.url))

/** A sign-in in a browser of the person's own. */
async function signInAnew(browser, client, app, person) {
  const context = await browser.newContext()
  try {
    return await signIn(await context.newPage(), client, app, person)
  } finally {
    await context.close()
  }
}

async function journey(report, browser, issuer, administrator) {
  const context = await browser.newContext()
  const app = await application()
  const person = { email: 'vera@acme.example', password: 'a long enough password' }
  try {
    const page = await context.newPage()
    await enter(page, issuer, administrator)
    const client = await report.check('journey: an application is registered by the wizard', async () => {
      await page.goto(`${issuer}/console/clients`)
      await page.goto(`${issuer}/console/clients/new`)
      await follow(page, '#kind-web')
      await page.fill('[name=client_name]', 'Visitors’ book')
      await page.fill('[name=redirect_uris]', app.redirectUri)
      await follow(page, '#save')
      const secret = (await page.locator('#secret').innerText()).trim()
      const id = /[0-9a-f]{8}-[0-9a-f-]{27}/.exec(page.url())[0]
      await page.reload()
      assert.equal(await page.locator('#secret').count(), 0, 'the secret is shown a second time')
      return clientOf(issuer, id, secret)
    })
    await report.check('journey: a person is made, though the session ends while the form is filled in', async () => {
      await page.goto(`${issuer}/console/users/new`)
      await page.fill('[name=email]', person.email)
      await page.fill('[name=name]', 'Víctor "the Visitor" O’Hara')
      await page.fill('[name=password]', person.password)
      await context.clearCookies({ name: 'tessera_console' })
      await follow(page, '#save')
      assert.equal(await page.getAttribute('body', 'data-error'), 'ended')
      await picture(page, 'journey-kept')
      const [tab] = await Promise.all([context.waitForEvent('page'), page.click('#sign-in')])
      await tab.waitForURL(`${issuer}/console/signed-in`)
      await picture(tab, 'journey-signed-in')
      await tab.close()
      await follow(page, '#send-again')
      assert.equal(await page.getAttribute('body', 'data-error'), 'other-session')
      await picture(page, 'journey-kept-again')
      await page.fill('[name=password]', person.password)
      await follow(page, '#send-again')
      const shown = await page.locator('main').innerText()
      assert.ok(shown.includes(person.email) && shown.includes('O’Hara'), shown)
    })
    await report.check('journey: they sign in to the application', async () => {
      const claims = await signInAnew(browser, client, app, person)
      assert.equal(claims.iss, issuer)
    })
    await report.check('journey: they are disabled, and can sign in no more', async () => {
      await page.goto(`${issuer}/console/users?q=${encodeURIComponent(person.email)}`)
      await follow(page, `main a:has-text("O’Hara")`)
      await follow(page, '#disable')
      await follow(page, '#confirm')
      assert.equal(await signInAnew(browser, client, app, person), undefined)
    })
    await report.check('journey: the audit tells of all of it', async () => {
      await page.goto(`${issuer}/console/audit?person=${encodeURIComponent(person.email)}`)
      const told = await page.locator('main').innerText()
      assert.ok((told.match(new RegExp(person.email.replaceAll('.', '\\.'), 'g')) ?? []).length >= 3, told)
      const acts = async (query) => {
        await page.goto(`${issuer}/console/audit?${query}`)
        return page.locator('main').innerText()
      }
      for (const act of ['user.created', 'user.disabled']) {
        assert.ok((await acts(`person=${encodeURIComponent(person.email)}&type=${act}`)).includes(person.email), act)
      }
      assert.ok((await acts('type=client.created')).includes('Visitors’ book'))
    })
  } finally {
    app.close()
    await context.close()
  }
}

/** A page that holds the program which the console shows for single-page applications, and the library that it imports. */
async function singlePage() {
  const modules = {
    'oidc-client-ts': require.resolve('oidc-client-ts').replace(/umd[^/]*.oidc-client-ts\.js$/, 'esm/oidc-client-ts.js'),
    'jwt-decode': require.resolve('jwt-decode').replace(/cjs[^/]*.index\.js$/, 'esm/index.js'),
  }
  const imports = Object.fromEntries(Object.keys(modules).map((name) => [name, `/modules/${name}`]))
  const app = { program: '' }
  app.server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, app.origin)
    const module = Object.keys(modules).find((name) => pathname === imports[name])
    const script = pathname === '/session.js' ? app.program : module && (await readFile(modules[module], 'utf8'))
    const page = `<!doctype html><title>Board</title><script type="importmap">${JSON.stringify({ imports })}</script>
      <script type="module">Object.assign(globalThis, await import('/session.js')); document.body.dataset.ready = ''</script>`
    response.writeHead(200, { 'content-type': script ? 'text/javascript' : 'text/html', 'cache-control': 'no-store' }).end(script || page)
  })
  await new Promise((listening) => app.server.listen(0, '127.0.0.1', listening))
  app.origin = `http://localhost:${app.server.address().port}`
  return app
}

async function singlePageJourney(report, browser, issuer, administrator, person) {
  const context = await browser.newContext()
  const app = await singlePage()
  const faults = []
  try {
    await report.check('journey: the program for single-page applications, as it is shown, signs a person in and out', async () => {
      const page = await context.newPage()
      await enter(page, issuer, administrator)
      await page.goto(`${issuer}/console/clients/new/browser`)
      await page.fill('[name=client_name]', 'Board')
      await page.fill('[name=redirect_uris]', `${app.origin}/`)
      await page.fill('[name=post_logout_redirect_uris]', `${app.origin}/`)
      await follow(page, '#save')
      app.program = await page.locator('#browser pre').last().innerText()
      // The person's own browser.
      const own = await browser.newContext()
      const board = await own.newPage()
      watch(board, faults)
      await board.goto(app.origin)
      const ready = () => board.waitForSelector('body[data-ready]', { state: 'attached' })
      await ready()
      await board.evaluate(() => { globalThis.signIn() })
      await board.waitForSelector('#username')
      await board.fill('#username', person.email)
      await board.fill('#password', person.password)
      await follow(board, '#submit')
      if (await board.locator('#allow').count()) await follow(board, '#allow')
      await ready()
      assert.equal(await board.evaluate(async () => (await globalThis.users.getUser()).profile.email), person.email)
      assert.equal(await board.evaluate(() => location.search), '')
      await board.evaluate(() => { globalThis.signOut() })
      await board.waitForFunction((origin) => location.origin === origin, app.origin)
      await ready()
      assert.equal(await board.evaluate(() => globalThis.users.getUser()), null)
      assert.deepEqual(faults, [])
    })
  } finally {
    app.server.close()
    await context.close()
  }
}

/** What the look would be follows what is typed, by what the server says of it, and saves nothing. */
async function look(report, browser, issuer, administrator) {
  const context = await browser.newContext()
  const faults = []
  try {
    const page = await context.newPage()
    watch(page, faults)
    await report.check('branding: the preview follows what is typed', async () => {
      await enter(page, issuer, administrator)
      await page.goto(`${issuer}/console/branding`)
      const before = await page.inputValue('#accent')
      const colour = () => page.evaluate(() => getComputedStyle(document.querySelector('.look-light .button')).backgroundColor)
      const says = (text) => page.waitForFunction((wanted) => document.getElementById('preview-notes').textContent.includes(wanted), text)
      await page.fill('#accent', 'ffd400')
      await says('#ffd400 is hard to read as text')
      await page.waitForFunction(() => getComputedStyle(document.querySelector('.look-light .button')).backgroundColor === 'rgb(255, 212, 0)')
      await picture(page, 'branding-typed')
      // What isn't in order is said; the last look that was stays.
      for (const [field, value, problem] of [['#accent', '#ffd4', 'six hexadecimal digits'], ['#accent', '"}*{color:red}</style><script>alert(1)</script>', 'six hexadecimal digits'], ['#logo_uri', '"><img src=x onerror=alert(1)>', 'An https address']]) {
        await page.fill('#accent', 'ffd400')
        await says('is hard to read as text')
        await page.fill(field, value)
        await says(problem)
        assert.equal(await colour(), 'rgb(255, 212, 0)')
        await page.fill('#logo_uri', '')
      }
      assert.equal(await page.locator('#preview img, #preview script').count(), 0)
      await page.fill('#accent', '#175c6b')
      await says('easy to read')
      assert.equal(await page.locator('main link[rel=stylesheet]').count(), 1)
      await page.goto(`${issuer}/console/branding`)
      assert.equal(await page.inputValue('#accent'), before)
      assert.deepEqual(faults, [])
    })
  } finally {
    await context.close()
  }
}

const report = new Report()
const [acme] = await quickstartTenants()
const { tenants, operator } = await readQuickstart()
const administrator = tenants.find(({ slug }) => slug === 'acme').users.find(({ roles }) => roles?.includes('administrator'))
const browser = await launch()
try {
  // Who looks at every page signs in first: by then their sign-in is old.
  const [desk, since] = [await enterAnew(browser, acme.issuer, administrator), Date.now()]
  await report.flow(() => journey(report, browser, acme.issuer, administrator))
  await report.flow(() => singlePageJourney(report, browser, acme.issuer, administrator, acme))
  await report.flow(() => look(report, browser, acme.issuer, administrator))
  await report.flow(() => everyPage(report, browser, acme, operator, administrator, desk, since))
} finally {
  await browser.close()
}
report.finish()
