// What the console has to show on its pages: made by the administration API, and by somebody who signs in to applications.
import assert from 'node:assert/strict'
import { clientOf, signIn } from './application.mjs'
import { follow } from './pages.mjs'

/** The administration API, below the tenant, as an operator's program. */
export async function administration({ issuer, client_id, client_secret }, slug) {
  const api = `${issuer.replace(/\/t\/system$/, '')}/api/v1`
  const answer = await fetch(`${issuer}/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${client_id}:${client_secret}`).toString('base64')}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', resource: api }),
  })
  const { access_token: token } = await answer.json()
  const call = async (method, path, body, headers) => {
    const response = await fetch(`${api}/tenants/${slug}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
      body: body && JSON.stringify(body),
    })
    const text = await response.text()
    assert.ok(response.ok, `${method} ${path} answers ${response.status}: ${text}`)
    return { etag: response.headers.get('etag'), document: text ? JSON.parse(text) : undefined }
  }
  return {
    get: async (path) => (await call('GET', path)).document,
    post: async (path, body) => (await call('POST', path, body)).document,
    delete: (path) => call('DELETE', path),
    change: async (path, body) => (await call('PATCH', path, body, { 'if-match': (await call('GET', path)).etag })).document,
  }
}

async function until(what, look) {
  for (let tries = 0; tries < 200; tries++) {
    const found = await look()
    if (found) return found
    await new Promise((later) => setTimeout(later, 50))
  }
  assert.fail(what)
}

const PAYMENT = {
  type: 'payment_initiation',
  words: { en: 'Pay {amount} to {creditorName}', de: '{creditorName} erhält {amount}' },
  actions: ['initiate', 'status', 'cancel'],
  fields: { amount: 'text', creditorName: 'text' },
  required: ['amount', 'creditorName'],
}

/** People, an API, applications, names at an issuer; `ana` is somebody of the tenant who can sign in. Gives what pages are to be about. */
export async function furnish(browser, tenant, ana, app, admin) {
  const password = 'a long enough password'
  const people = []
  for (const [name, roles] of [['Beatriz Nunes', []], ['Carl Olsen', []], ['Dina Petrov', ['auditor']]]) {
    const [given_name, family_name] = name.split(' ')
    const email = `${given_name.toLowerCase()}@${tenant.slug}.example`
    const { id } = await admin.post('/users', { email, email_verified: true, password, roles, claims: { name, given_name, family_name } })
    people.push({ id, email, password })
  }
  const [, carl, dina] = people
  const { id: api } = await admin.post('/resources', {
    identifier: 'https://orders.acme.example',
    name: 'Orders',
    scopes: [{ name: 'orders:read', description: 'See your orders' }, { name: 'orders:write', description: 'Place orders for you' }],
    authorization_details_types: [PAYMENT],
  })
  const register = (client_name, more) =>
    admin.post('/clients', {
      client_name,
      redirect_uris: [app.redirectUri],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'client_secret_basic',
      ...more,
    })
  const shop = await register('Shop', { scope: 'openid profile email orders:read orders:write', backchannel_logout_uri: `${app.origin}/told` })
  const store = await register('Warehouse', { scope: 'openid', skip_consent: true, backchannel_logout_uri: `${app.origin}/busy` })
  const partner = await register('Partner', {
    scope: 'orders:read', redirect_uris: [], response_types: [], grant_types: ['urn:ietf:params:oauth:grant-type:jwt-bearer'],
  })
  await admin.change('/settings', {
    registration: 'token',
    backchannel_authentication: true,
    assertion_issuers: [{
      issuer: 'https://idp.example.org', jwks_uri: 'https://idp.example.org/jwks', clients: [partner.client_id], subjects: 'stored', scope: 'orders:read',
    }],
  })
  const { items } = await admin.get(`/users?search=${encodeURIComponent(ana.email)}`)
  const person = items[0].id
  await admin.post('/external-subjects', { user_id: person, issuer: 'https://idp.example.org', subject: 'ana.acosta' })

  const [shopping, storing] = await Promise.all([shop, store].map((one) => clientOf(tenant.issuer, one.client_id, one.client_secret)))
  // A session that ends: one application hears of it, the other doesn't, and wants to hear nothing when it is told again.
  let context = await browser.newContext()
  let page = await context.newPage()
  await page.goto(`${tenant.issuer}/account`)
  await page.fill('#username', ana.email)
  await page.fill('#password', 'not the password')
  await follow(page, '#submit')
  const { sid } = await signIn(page, shopping, app, ana, 'openid profile email orders:read')
  await signIn(page, storing, app, ana)
  await context.close()
  await admin.delete(`/sessions/${sid}`)
  const notices = async () => (await admin.get('/logout-deliveries')).items
  const failed = await until('a notice that nobody took', async () => (await notices()).find((one) => one.last_error))
  await admin.change(`/clients/${store.client_id}`, { backchannel_logout_uri: null })
  await admin.post(`/logout-deliveries/${failed.id}/retry`)
  await until('notices that ended', async () => (await notices()).every(({ state }) => state !== 'pending'))
  // And one that goes on.
  context = await browser.newContext()
  page = await context.newPage()
  await signIn(page, shopping, app, ana, 'openid profile email orders:read')
  await page.goto(`${tenant.issuer}/account/requests`)
  await page.fill('#code', 'heron-27')
  await follow(page, '#submit')
  await context.close()
  return { person, carl, auditor: dina, api, client: shop.client_id, notice: failed.id }
}
