// A browser without JavaScript: it follows redirects, keeps cookies by path and fills the forms that the contract names.

const MOST_STEPS = 20

const ENTITIES = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }
const decode = (text) =>
  text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|([a-z]+));/gi, (whole, hex, decimal, name) => {
    if (hex) return String.fromCodePoint(parseInt(hex, 16))
    if (decimal) return String.fromCodePoint(Number(decimal))
    return ENTITIES[name] ?? whole
  })

function attributesOf(source) {
  const attributes = {}
  for (const [, name, double, single, bare] of source.matchAll(
    /([^\s"'<>/=]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'=<>`]+)))?/g,
  )) {
    attributes[name.toLowerCase()] = decode(double ?? single ?? bare ?? '')
  }
  return attributes
}

/** The forms of a page, with what a person can fill and press, and the attributes of its body. */
export function parsePage(html) {
  const page = { body: {}, forms: [] }
  let form
  const tags = /<!--[\s\S]*?-->|<(\/?)(body|form|input|button|select|textarea)\b((?:"[^"]*"|'[^']*'|[^"'>])*)>/gi
  for (const [whole, closing, name, source] of html.matchAll(tags)) {
    if (whole.startsWith('<!--')) continue
    const tag = name.toLowerCase()
    if (closing) {
      if (tag === 'form') form = undefined
      continue
    }
    const attributes = attributesOf(source)
    if (tag === 'body') page.body = attributes
    else if (tag === 'form') page.forms.push((form = { attributes, controls: [] }))
    else form?.controls.push({ tag, ...attributes })
  }
  page.formWith = (...ids) =>
    page.forms.find(({ controls }) => ids.every((id) => controls.some((control) => control.id === id)))
  return page
}

/** Cookies as RFC 6265 §5.4 sends them, by host and path; expiry by Max-Age only, as sessions need. */
class CookieJar {
  #cookies = new Map()

  store(url, response) {
    for (const line of response.headers.getSetCookie()) {
      const [pair, ...rest] = line.split(';').map((part) => part.trim())
      const cut = pair.indexOf('=')
      const [name, value] = [pair.slice(0, cut), pair.slice(cut + 1)]
      const attributes = Object.fromEntries(
        rest.map((part) => [part.split('=')[0].toLowerCase(), part.split('=').slice(1).join('=')]),
      )
      if ('secure' in attributes && url.protocol !== 'https:') continue
      const path = attributes.path || url.pathname.replace(/\/[^/]*$/, '') || '/'
      const key = [url.hostname, path, name].join(' ')
      if (Number(attributes['max-age'] ?? 1) <= 0) this.#cookies.delete(key)
      else this.#cookies.set(key, { host: url.hostname, path, name, value })
    }
  }

  header(url) {
    return [...this.#cookies.values()]
      .filter(({ host, path }) => {
        const below = url.pathname.startsWith(path.endsWith('/') ? path : `${path}/`)
        return host === url.hostname && (url.pathname === path || below)
      })
      .sort((left, right) => right.path.length - left.path.length)
      .map(({ name, value }) => `${name}=${value}`)
      .join('; ')
  }
}

/** One person's browser at one or several tenants. */
export class CookieBrowser {
  #jar = new CookieJar()

  /**
   * Goes on from `start`, signing in and consenting where asked, to the first address that starts with `until`;
   * returns that address without opening it. Where `until` is a function of a page's text, to the page that it accepts.
   * `decision` is the button that is pressed where consent is asked: `allow` or `deny`.
   */
  async open(start, until, person, decision = 'allow') {
    let url = new URL(start)
    let body
    let signedIn = false
    for (let step = 0; step < MOST_STEPS; step += 1) {
      if (typeof until === 'string' && url.href.startsWith(until)) return url
      const response = await this.#request(url, body)
      if (response.status >= 300 && response.status < 400) {
        // RFC 9700 §4.12: credentials must not be sent on.
        if (body && response.status > 303) throw new Error(`${url} redirects a form with ${response.status}`)
        url = new URL(response.headers.get('location'), url)
        body = undefined
        continue
      }
      const text = await response.text()
      if (typeof until === 'function' && until(text)) return url
      const page = parsePage(text)
      if (!response.ok || 'data-error' in page.body) {
        throw new Error(`${url} answered ${response.status} (${page.body['data-error'] ?? 'no data-error'})`)
      }
      const login = page.formWith('username', 'password', 'submit')
      if (login && (signedIn || !person?.email)) throw new Error(`${url} asks for credentials ${signedIn ? 'again' : ''}`)
      const answers = [
        [login, 'submit', { username: person?.email, password: person?.password }],
        [page.formWith(decision), decision, {}],
        [page.formWith('user_code'), 'submit', {}],
        [page.formWith('logout'), 'logout', {}],
      ]
      const [form, pressed, values] = answers.find(([candidate]) => candidate) ?? []
      if (!form) throw new Error(`${url} answered ${response.status} and asks for nothing that is known`)
      signedIn ||= Boolean(login)
      ;({ url, body } = submit(url, form, pressed, values))
    }
    throw new Error(`too many steps, the last at ${url}`)
  }

  async #request(url, body) {
    const address = new URL(url)
    address.hash = ''
    const headers = { accept: 'text/html', cookie: this.#jar.header(url) }
    // What a browser adds to a form's submission.
    if (body) headers.origin = url.origin
    const response = await fetch(address, { method: body ? 'POST' : 'GET', body, headers, redirect: 'manual' })
    this.#jar.store(url, response)
    return response
  }
}

function submit(pageUrl, form, pressed, values) {
  const body = new URLSearchParams()
  for (const control of form.controls) {
    const type = (control.type ?? (control.tag === 'button' ? 'submit' : 'text')).toLowerCase()
    if (!control.name || 'disabled' in control) continue
    if (['submit', 'button', 'image', 'reset'].includes(type)) {
      if (control.id === pressed) body.append(control.name, control.value ?? '')
    } else if (['checkbox', 'radio'].includes(type)) {
      if ('checked' in control) body.append(control.name, control.value ?? 'on')
    } else {
      body.append(control.name, values[control.id] ?? control.value ?? '')
    }
  }
  const button = form.controls.find((control) => control.id === pressed)
  const target = new URL(button.formaction || form.attributes.action || pageUrl.href, pageUrl)
  if ((form.attributes.method ?? 'get').toLowerCase() === 'get') {
    target.search = body
    return { url: target, body: undefined }
  }
  return { url: target, body }
}
