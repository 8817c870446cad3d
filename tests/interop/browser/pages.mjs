// What every browser of the suite does with a page: look at it, with axe-core and at both widths and colour schemes, and take pictures
// where SCREENSHOTS names a folder.
import assert from 'node:assert/strict'
import { mkdir, readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const require = createRequire(new URL('../node/package.json', import.meta.url))
const { chromium } = require('playwright-core')
const axe = await readFile(require.resolve('axe-core/axe.min.js'), 'utf8')

export const SIZES = [{ width: 1280, height: 900 }, { width: 390, height: 844 }]
const SCHEMES = ['light', 'dark']
const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage',
]

const folder = process.env.SCREENSHOTS

export const launch = () =>
  chromium.launch({ executablePath: process.env.INTEROP_CHROMIUM ?? '/usr/bin/chromium', headless: true, args: FLAGS })

/** Refuses what axe-core finds on the page: WCAG 2.2 A and AA, and its best practices. */
async function accessible(page, name) {
  await page.evaluate(axe)
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }))
  const found = violations.map(({ id, nodes }) => `${id} at ${nodes.slice(0, 3).map(({ target }) => target.join(' ')).join(', ')}`)
  assert.deepEqual(found, [], `axe-core on ${name}`)
}

/** Looks at the page as it is now, at every size and in both colour schemes. */
export async function picture(page, name) {
  if (folder) await mkdir(folder, { recursive: true })
  for (const size of SIZES) {
    await page.setViewportSize(size)
    for (const colorScheme of SCHEMES) {
      await page.emulateMedia({ colorScheme })
      // Colours fade into each other; those of what is folded away never come to their end.
      await page.evaluate(() =>
        Promise.race([
          Promise.all(document.getAnimations().map((animation) => animation.finished.catch(() => {}))),
          new Promise((late) => setTimeout(late, 500)),
        ]),
      )
      if (folder) await page.screenshot({ path: join(folder, `${name}-${size.width}-${colorScheme}.png`), fullPage: true })
      await accessible(page, `${name}, ${size.width} pixels wide, ${colorScheme}`)
    }
  }
  await page.emulateMedia({ colorScheme: null })
  await page.setViewportSize(SIZES[0])
}

/** Nothing is cut off at a phone's width. */
export async function fitsPhone(page, name) {
  await page.setViewportSize(SIZES[1])
  const [content, width, wide] = await page.evaluate(() => [
    document.documentElement.scrollWidth,
    window.innerWidth,
    [...document.body.querySelectorAll('*')].filter((element) => element.getBoundingClientRect().right > window.innerWidth).map((element) => element.outerHTML.slice(0, 200)).slice(-3),
  ])
  assert.ok(content <= width, `${name} is ${content} pixels wide on a screen of ${width}: ${wide.join(' ')}`)
  await page.setViewportSize(SIZES[0])
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
