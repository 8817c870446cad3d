// What every browser of the suite does with a page: look at it, with axe-core and at both widths and colour schemes, and take pictures
// where SCREENSHOTS names a folder, or INTEROP_BOOK that of the book's pictures.
import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const require = createRequire(new URL('../node/package.json', import.meta.url))
const { chromium } = require('playwright-core')
const axe = await readFile(require.resolve('axe-core/axe.min.js'), 'utf8')

const DESK = { width: 1280, height: 900 }
const PHONE = { width: 390, height: 844 }
const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage',
]

/** The rules of axe-core that ask about colours: what the others look at is the same in both schemes. */
const COLOURS = ['color-contrast', 'link-in-text-block']

const { SCREENSHOTS: folder, INTEROP_BOOK: book } = process.env

export const launch = () =>
  chromium.launch({ executablePath: process.env.INTEROP_CHROMIUM ?? '/usr/bin/chromium', headless: true, args: FLAGS })

/** Refuses what axe-core finds on the page: WCAG 2.2 A and AA, and its best practices; or what these rules find. */
async function accessible(page, name, rules) {
  const options = { resultTypes: ['violations'], ...(rules && { runOnly: { type: 'rule', values: rules } }) }
  const ask = () => page.evaluate((options) => globalThis.axe?.run(document, options), options)
  let found = await ask()
  if (!found) {
    await page.evaluate(axe)
    found = await ask()
  }
  const violations = found.violations.map(({ id, nodes }) => `${id} at ${nodes.slice(0, 3).map(({ target }) => target.join(' ')).join(', ')}`)
  assert.deepEqual(violations, [], `axe-core on ${name}`)
}

/** Nothing is cut off at a phone's width. */
async function fits(page, name) {
  const [content, width, wide] = await page.evaluate(() => [
    document.documentElement.scrollWidth,
    window.innerWidth,
    [...document.body.querySelectorAll('*')].filter((element) => element.getBoundingClientRect().right > window.innerWidth).map((element) => element.outerHTML.slice(0, 200)).slice(-3),
  ])
  assert.ok(content <= width, `${name} is ${content} pixels wide on a screen of ${width}: ${wide.join(' ')}`)
}

/** Of a page that is longer than this, the book shows the beginning. */
const LONGEST = 2400

/** The page as the book has it. */
async function putIntoBook(page, file) {
  await page.evaluate(() => { document.documentElement.style.caretColor = 'transparent' })
  const devtools = await page.context().newCDPSession(page)
  const { cssContentSize: { width, height } } = await devtools.send('Page.getLayoutMetrics')
  const clip = { x: 0, y: 0, width, height: Math.min(height, LONGEST), scale: 1 }
  const { data } = await devtools.send('Page.captureScreenshot', { format: 'webp', quality: 60, captureBeyondViewport: true, clip })
  await writeFile(join(book, file), Buffer.from(data, 'base64'))
  await devtools.detach()
}

/** Looks at the page as it is now, at every size and in both colour schemes. `shown` is its picture's name in the book, if it is there. */
export async function picture(page, name, shown) {
  for (const path of [folder, book]) if (path) await mkdir(path, { recursive: true })
  for (const size of [DESK, PHONE]) {
    await page.setViewportSize(size)
    for (const colorScheme of ['light', 'dark']) {
      // Where motion isn't wanted, colours don't fade into each other.
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
      const look = `${size.width}-${colorScheme}`
      if (folder) await page.screenshot({ path: join(folder, `${name}-${look}.png`), fullPage: true })
      if (book && shown) await putIntoBook(page, `${shown}-${look}.webp`)
      await accessible(page, `${name}, ${size.width} pixels wide, ${colorScheme}`, colorScheme === 'light' ? undefined : COLOURS)
    }
    if (size === PHONE) await fits(page, name)
  }
  await page.emulateMedia({ colorScheme: null, reducedMotion: null })
  await page.setViewportSize(DESK)
}

/** Presses what leads to another page and waits until that page, at the end of all redirects, is there. */
export async function follow(page, selector) {
  await Promise.all([page.waitForNavigation({ waitUntil: 'load' }), page.click(selector)])
}

/** Watches what a person would only see in the developer tools: broken resources, script errors, CSP violations. */
export function watch(page, faults) {
  page.on('pageerror', (error) => faults.push(`script error: ${error.message}`))
  page.on('console', (message) => {
    // Chromium says this of every refused document too; the responses below tell which ones matter.
    const refused = message.text().startsWith('Failed to load resource')
    if (message.type() === 'error' && !refused) faults.push(`console: ${message.text()}`)
  })
  page.on('response', (response) => {
    const part = response.request().resourceType() !== 'document'
    if (response.status() >= (part ? 400 : 500)) faults.push(`${response.status()} ${response.url()}`)
  })
}
