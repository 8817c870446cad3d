// The quickstart's demonstration as a person does it, in Chromium: sign in, look at the claims, call the APIs, refresh, sign
// out, then both tenants side by side. With SCREENSHOTS set, pictures of every page at two widths, light and dark.
import assert from 'node:assert/strict'
import { Report, quickstartTenants, readQuickstart } from '../node/interop.mjs'
import { follow, launch, picture, watch } from './pages.mjs'

const slugOf = (page) => page.locator('body').getAttribute('data-tenant')

/** Signs a person in from the demonstration's first page; answers the consent where one is asked. */
async function signIn(page, demo, tenant, pictures) {
  await page.goto(demo)
  await follow(page, `#signin-${tenant.slug}`)
  await page.waitForSelector('#username')
  if (pictures) {
    await picture(page, `sign-in-${tenant.slug}`)
  }
  await page.fill('#username', tenant.email)
  await page.fill('#password', tenant.password)
  await follow(page, '#submit')
  await page.waitForSelector('#allow, #claims')
  if (await page.locator('#allow').count()) {
    if (pictures) await picture(page, `consent-${tenant.slug}`)
    await follow(page, '#allow')
  }
  await page.waitForSelector('#claims')
}

const claimsOf = async (page) => JSON.parse(await page.locator('#claims').innerText())

/** Presses a button that ends on a page with a result, and reads it. */
async function press(page, id) {
  await follow(page, `#${id}`)
  return page.locator('#api-result').innerText()
}

/** Waits until a field has the focus: browsers heed `autofocus` at the first frame that they draw, a little after the element is there. */
const focused = (page, selector) => page.locator(`${selector}:focus`).waitFor({ timeout: 10_000 })

async function demonstrate(report, browser, demo, tenant) {
  const check = (name, body) => report.check(`${tenant.slug}: ${name}`, body)
  const context = await browser.newContext()
  const page = await context.newPage()
  const faults = []
  watch(page, faults)
  try {
    await check('the sign-in page carries the tenant and works', async () => {
      await page.goto(demo)
      await picture(page, 'demo')
      await follow(page, `#signin-${tenant.slug}`)
      await page.waitForSelector('#username')
      assert.ok(page.url().startsWith(tenant.issuer), `${page.url()} is not under ${tenant.issuer}`)
      assert.match((await slugOf(page)) ?? '', /\S/, 'data-tenant is empty')
      await focused(page, '#username')
    })
    await check('a wrong password is told without saying who exists', async () => {
      await page.fill('#username', tenant.email)
      await page.fill('#password', 'not the password')
      await follow(page, '#submit')
      await page.waitForSelector('#problem')
      await picture(page, `sign-in-refused-${tenant.slug}`)
      assert.equal(await page.locator('#password').inputValue(), '', 'the password is sent back')
    })
    await check('signing in shows the claims', async () => {
      await signIn(page, demo, tenant, true)
      const claims = await claimsOf(page)
      assert.equal(claims.iss, tenant.issuer)
      assert.equal(claims.tenant, tenant.slug)
      await picture(page, `demo-signed-in-${tenant.slug}`)
    })
    await check('the tenant\'s API accepts the token', async () => {
      const result = await press(page, 'call-api')
      assert.match(result, /200/, result)
    })
    await check('the other tenant\'s API refuses the token', async () => {
      const result = await press(page, 'call-other-api')
      assert.match(result, /401/, result)
      await picture(page, `demo-refused-${tenant.slug}`)
    })
    await check('refreshing keeps the person', async () => {
      const before = await claimsOf(page)
      await follow(page, '#refresh')
      assert.equal((await claimsOf(page)).sub, before.sub)
    })
    await check('signing out ends the session at the provider too', async () => {
      await follow(page, '#signout')
      await page.waitForSelector(`#logout, #signin-${tenant.slug}`)
      if (await page.locator('#logout').count()) {
        await picture(page, `sign-out-${tenant.slug}`)
        await follow(page, '#logout')
      }
      await page.goto(demo)
      await follow(page, `#signin-${tenant.slug}`)
      await page.waitForSelector('#password')
    })
    await check('no page failed or broke its content security policy', () => assert.deepEqual(faults, []))
  } catch (error) {
    await picture(page, `failed-${tenant.slug}`).catch(() => {})
    throw error
  } finally {
    await context.close()
  }
}

/** Two tenants in one browser: neither session disturbs the other. */
async function sideBySide(report, browser, demo, tenants) {
  await report.check('both tenants side by side in one browser', async () => {
    const context = await browser.newContext()
    try {
      const [first, second] = [await context.newPage(), await context.newPage()]
      await signIn(first, demo, tenants[0])
      await signIn(second, demo, tenants[1])
      assert.equal((await claimsOf(second)).tenant, tenants[1].slug)
      // The first tenant still knows the person: no password is asked for.
      await first.goto(new URL(`/sign-in/${tenants[0].slug}`, demo).href)
      await first.waitForSelector('#claims, #username')
      assert.equal(await first.locator('#username').count(), 0, `${tenants[0].slug} asks for a password again`)
      assert.equal((await claimsOf(first)).tenant, tenants[0].slug)
    } finally {
      await context.close()
    }
  })
}

/** Pages that no demonstration passes by: errors, as a person meets them. */
async function errorPages(report, browser, tenants) {
  await report.check('an unknown client ends on an error page with a request id', async () => {
    const context = await browser.newContext()
    try {
      const page = await context.newPage()
      await page.goto(`${tenants[0].issuer}/authorize?client_id=nobody&response_type=code&redirect_uri=https://evil.example/`)
      assert.ok(page.url().startsWith(tenants[0].issuer), `went to ${page.url()}`)
      assert.match((await page.locator('body').getAttribute('data-error')) ?? '', /\S/)
      await picture(page, 'error')
    } finally {
      await context.close()
    }
  })
}

/** What belongs to a person and to nobody's application: looked at as it is, and used by the keyboard alone. */
async function ownPages(report, browser, tenant) {
  const context = await browser.newContext()
  const page = await context.newPage()
  const faults = []
  watch(page, faults)
  const look = async (path, name) => {
    await page.goto(tenant.issuer + path)
    await picture(page, name)
  }
  try {
    await report.check('signing in by the keyboard alone, the focus always to be seen', async () => {
      await look('', 'tenant')
      await page.goto(`${tenant.issuer}/account`)
      await focused(page, '#username')
      await page.keyboard.type(tenant.email)
      // Whatever stands between them is passed by, and shows that it has the focus.
      const tabTo = async (id) => {
        for (let steps = 0; steps < 12; steps += 1) {
          await page.keyboard.press('Tab')
          const [at, shown] = await page.evaluate(() => {
            const style = getComputedStyle(document.activeElement)
            return [document.activeElement.id, style.outlineStyle !== 'none' || style.boxShadow !== 'none']
          })
          assert.ok(shown, `nothing shows that ${at} has the focus`)
          if (at === id) return
        }
        assert.fail(`${id} can't be reached`)
      }
      await tabTo('password')
      await page.keyboard.type(tenant.password)
      await tabTo('submit')
      await Promise.all([page.waitForNavigation(), page.keyboard.press('Enter')])
      await page.waitForSelector('main h1')
      assert.equal(page.url(), `${tenant.issuer}/account`)
    })
    await report.check('every page of a person\'s own is sound at both widths, in both schemes, and to axe-core', async () => {
      await page.goto(`${tenant.issuer}/account`)
      const own = await page.locator('a[href]').evaluateAll((all) => all.map((link) => link.href))
      const paths = new Set(own.filter((href) => href.startsWith(`${tenant.issuer}/account`)).map((href) => href.split('#')[0].slice(tenant.issuer.length)))
      assert.ok(paths.size >= 4, [...paths].join(' '))
      for (const path of paths) await look(path, path.replace(/\W+/g, '-').replace(/^-/, ''))
      await look('/device', 'device')
      await page.fill('#user_code', 'BBBB-BBBB')
      await follow(page, '#submit')
      await picture(page, 'device-refused')
      await page.goto(`${tenant.issuer}/account/password`)
      for (const field of await page.locator('input[type=password]').all()) await field.fill('not long')
      await follow(page, 'main button[type=submit]')
      await page.waitForSelector('[aria-invalid], #problem')
      await picture(page, 'account-password-refused')
      await look('/link', 'link-spent')
      assert.deepEqual(faults, [])
    })
  } finally {
    await context.close()
  }
}

/** The documents of the installation itself. */
async function documents(report, browser, tenant) {
  await report.check('the first page of the installation and the page of its API are sound', async () => {
    const context = await browser.newContext()
    try {
      const page = await context.newPage()
      for (const [path, name] of [['/', 'landing'], ['/api/docs', 'api-docs']]) {
        await page.goto(new URL(path, tenant.issuer).href)
        await picture(page, name)
      }
    } finally {
      await context.close()
    }
  })
}

/** Without JavaScript the same works. */
async function withoutScript(report, browser, demo, tenant) {
  await report.check('without script a person signs in, and out', async () => {
    const context = await browser.newContext({ javaScriptEnabled: false })
    try {
      const page = await context.newPage()
      await signIn(page, demo, tenant)
      assert.equal((await claimsOf(page)).tenant, tenant.slug)
      const signedIn = page.url()
      await page.goto(`${tenant.issuer}/account/sessions`)
      await page.waitForSelector('main h1')
      await page.goto(signedIn)
      await follow(page, '#signout')
      if (await page.locator('#logout').count()) await follow(page, '#logout')
      await page.goto(`${tenant.issuer}/account`)
      await page.waitForSelector('#username')
    } finally {
      await context.close()
    }
  })
}

const report = new Report()
const tenants = await quickstartTenants()
const { demo_app: demo } = await readQuickstart()
const browser = await launch()
try {
  for (const tenant of tenants) await report.flow(() => demonstrate(report, browser, demo, tenant))
  await report.flow(() => sideBySide(report, browser, demo, tenants))
  await report.flow(() => errorPages(report, browser, tenants))
  await report.flow(() => ownPages(report, browser, tenants[0]))
  await report.flow(() => documents(report, browser, tenants[0]))
  await report.flow(() => withoutScript(report, browser, demo, tenants[1]))
} finally {
  await browser.close()
}
report.finish()
