// Every page of the console, looked at: those that links lead to, by an administrator and by an operator, and those that something has
// to be done for. The book shows each of them (docs/src/console.md), and what it shows is what was seen here.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { application } from './application.mjs'
import { administration, furnish } from './console_world.mjs'
import { follow, picture, watch } from './pages.mjs'

const BOOK = new URL('../../../docs/src/console.md', import.meta.url)

/** The pages of a tenant that an operator visits, which are those that its administrator has: its first page and its people are enough. */
const VISITED = /^\/tenants\/\{tenant\}\//

/** What an old sign-in is, in seconds: the least that can be demanded. */
const OLD = 60

export async function enter(page, issuer, { email, password }) {
  await page.goto(`${issuer}/console`)
  await page.waitForSelector('#username')
  await page.fill('#username', email)
  await page.fill('#password', password)
  await follow(page, '#submit')
  await page.waitForSelector('body[data-tenant] main h1')
}

/** Somebody who has entered, in a browser of their own. */
export async function enterAnew(browser, issuer, person) {
  const page = await (await browser.newContext()).newPage()
  await enter(page, issuer, person)
  return page
}

/** The route of a path below the console's address: pages of one kind have one. */
const routeOf = (path) =>
  path
    .replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, '{id}')
    .replace('/sessions/{id}', '/sessions/{session}')
    .replace('/consents/{id}', '/consents/{client}')
    .replace(/\/keys\/[\w-]{20,}/, '/keys/{kid}')
    .replace(/^\/tenant\/[a-z0-9-]+/, '/tenant/{slug}')
    .replace(/^\/tenants\/[a-z0-9-]+/, '/tenants/{tenant}')

/** What the pictures of a route are called. */
const nameOf = (route) => route.replace(/\W+/g, '-').replace(/^-|-$/g, '') || 'overview'

class Tour {
  /** Routes that were looked at; a route with a query is another one. */
  seen = new Set()
  /** What stands in the book. */
  shown = new Set()

  /** Looks at the page as it is now; unless it is `apart`, the book shows it under this name. */
  async look(page, name, apart = this.shown.has(name)) {
    assert.equal(await page.locator('h1').count(), 1, `${page.url()} has not one heading`)
    await picture(page, `console-${name}`, apart ? undefined : name)
    if (!apart) this.shown.add(name)
  }

  /** Goes wherever links lead from the console's first page, and to these addresses before: their pages are what the book shows. */
  async crawl(page, start, first) {
    const { origin, pathname } = new URL(start)
    const queue = [start, ...first.map((path) => start + path)]
    const visited = []
    while (queue.length) {
      const url = new URL(queue.shift())
      const route = routeOf(url.pathname.slice(pathname.length))
      const kind = url.search ? `${route}?${url.searchParams.has('after') ? 'after' : '…'}` : route
      if (this.seen.has(kind) || (VISITED.test(route) && !route.endsWith('}/users'))) continue
      this.seen.add(kind)
      const response = await page.goto(url.href)
      assert.ok(response.status() < 400, `${url} answers ${response.status()}`)
      if (!response.headers()['content-type']?.startsWith('text/html')) continue
      const name = url.search ? `${nameOf(route)}-asked` : nameOf(route)
      await this.look(page, name, name.endsWith('-asked') || VISITED.test(route) || undefined)
      visited.push(name)
      for (const link of await page.locator('a[href]').evaluateAll((all) => all.map(({ href }) => href))) {
        const target = new URL(link)
        target.hash = ''
        const inside = target.origin === origin && (target.pathname === pathname || target.pathname.startsWith(`${pathname}/`))
        if (inside && !/sign-out|\/open$/.test(target.pathname)) queue.push(target.href)
      }
    }
    return visited
  }
}

/** What no link leads to, or what is seen once. */
async function onceSeen(tour, page, start, world) {
  const go = (path) => page.goto(start + path)
  await go('/users?q=nobody')
  await tour.look(page, 'users-none')
  await go(`/users/${world.carl.id}/reset`)
  await follow(page, '#confirm')
  await tour.look(page, 'users-id-shown')
  await go(`/clients/${world.client}/secret`)
  await follow(page, '#confirm')
  await tour.look(page, 'clients-id-connect-shown')
  await go('/registration-tokens/new')
  await page.fill('[name=name]', 'Partners’ portal')
  await follow(page, '#save')
  await tour.look(page, 'registration-tokens-id-shown')
  await go(`/administrators/${world.auditor.id}`)
  for (const box of await page.locator('main [type=checkbox]:checked').all()) await box.uncheck()
  await follow(page, '#save')
  await tour.look(page, 'administrators-id-removal')
  await go(`/clients/${world.client}/try-it`)
  await page.selectOption('[name=resource]', 'https://orders.acme.example')
  await follow(page, '#begin')
  if (await page.locator('#allow').count()) await follow(page, '#allow')
  await page.waitForSelector('#access-claims')
  await tour.look(page, 'try-it-callback')
  await go('/users/00000000-0000-7000-8000-000000000000')
  await tour.look(page, 'fault-not-found')
  await go('/signed-out')
  await tour.look(page, 'signed-out')
}

/** Forms that were sent too late: when a fresh sign-in was demanded meanwhile, and when the session was over. */
async function tooLate(tour, page, start, world, admin, administrator, since) {
  const form = `${start}/users/${world.carl.id}/disable`
  await page.goto(form)
  await admin.change('/settings', { administration_reauthentication: true, administration_max_age: OLD })
  await new Promise((old) => setTimeout(old, since + (OLD + 2) * 1000 - Date.now()))
  await follow(page, '#confirm')
  await tour.look(page, 'old-sign-in')
  await admin.change('/settings', { administration_reauthentication: false })
  await page.goto(`${start}/users/new`)
  await page.fill('[name=email]', 'elena@acme.example')
  await page.fill('[name=name]', 'Elena Fuentes')
  const context = page.context()
  for (const name of ['tessera_console', 'tessera_session']) await context.clearCookies({ name })
  await follow(page, '#save')
  assert.equal(await page.getAttribute('body', 'data-error'), 'ended')
  await tour.look(page, 'kept')
  const [tab] = await Promise.all([context.waitForEvent('page'), page.click('#sign-in')])
  await tab.waitForSelector('#username')
  await tab.fill('#username', administrator.email)
  await tab.fill('#password', administrator.password)
  await follow(tab, '#submit')
  await tab.waitForURL(`${start}/signed-in`)
  await tour.look(tab, 'signed-in')
  await tab.close()
  await follow(page, '#send-again')
  assert.equal(await page.getAttribute('body', 'data-error'), 'other-session')
  await tour.look(page, 'kept-again')
  await page.goto(form)
  await page.context().clearCookies()
  await follow(page, '#confirm')
  await tour.look(page, 'ended')
  // Whoever is signed in is sent on from there.
  await page.goto(`${start}/callback`)
  await tour.look(page, 'callback')
}

/** `desk` is the page of this administrator, who signed in at `since`. */
export async function everyPage(report, browser, tenant, operator, administrator, desk, since) {
  const tour = new Tour()
  const faults = []
  const start = `${tenant.issuer}/console`
  const app = await application()
  const pages = [desk]
  const at = async (issuer, person) => {
    const page = await enterAnew(browser, issuer, person)
    pages.push(page)
    watch(page, faults)
    return page
  }
  const sound = 'is sound at both widths, in both schemes, and to axe-core'
  watch(desk, faults)
  try {
    const admin = await administration(operator, tenant.slug)
    const world = await report.check('the console has something to show on each page', async () => {
      await desk.goto(`${start}/domains`)
      await tour.look(desk, 'domains-empty')
      await admin.post('/domains', { origin: 'https://login.acme.example' })
      await admin.post('/initial-access-tokens', { name: 'Field service', max_uses: 20, expires_in: 30 * 86400 })
      return furnish(browser, tenant, tenant, app, admin)
    })
    await report.check(`an administrator: every page that can be reached ${sound}`, async () => {
      const first = [
        `/users/${world.person}`, `/clients/${world.client}`, `/resources/${world.api}`, `/administrators/${world.auditor.id}`,
        `/logout-deliveries/${world.notice}`,
      ]
      const names = await tour.crawl(desk, start, first)
      console.log(`an administrator saw ${names.length} pages: ${names.join(', ')}`)
    })
    await report.check(`an operator: every page that an administrator doesn't have ${sound}`, async () => {
      tour.seen.delete('')
      const page = await at(operator.issuer, operator.users[0])
      const names = await tour.crawl(page, `${operator.issuer}/console`, [`/tenant/${tenant.slug}`])
      console.log(`an operator saw ${names.length} more: ${names.join(', ')}`)
    })
    await report.check(`what something has to be done for ${sound}`, async () => {
      await onceSeen(tour, desk, start, world)
      const auditor = await at(tenant.issuer, world.auditor)
      await auditor.goto(`${start}/users/new`)
      await tour.look(auditor, 'fault-forbidden')
      await tour.look(await at(tenant.issuer, tenant), 'no-role')
      await tooLate(tour, desk, start, world, admin, administrator, since)
    })
    await report.check('no page of the console failed or broke its content security policy', () => assert.deepEqual(faults, []))
    await report.check('the book shows each of these pages, and no other', async () => {
      const names = (await readFile(BOOK, 'utf8')).matchAll(/images\/console\/([\w-]+)-1280-light\.webp/g)
      assert.deepEqual([...tour.shown].sort(), [...new Set([...names].map(([, name]) => name))].sort())
    })
  } finally {
    app.close()
    for (const page of pages) await page.context().close()
  }
}
