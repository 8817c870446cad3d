// What every JavaScript client of the suite shares: the quickstart's document, the command line, and one report.
// A program prints one line a check, `ok - NAME` or `not ok - NAME: reason`; the runner counts them.
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** A check failed, and what follows in the same flow depends on it. */
class Stopped extends Error {}

/** How long one check may take, in milliseconds: an answer that never comes shall say which it is, long before the runner gives up. */
const DEADLINE = 240_000

/** What `body` comes to, or an error once the deadline is over. */
async function inTime(body) {
  let timer
  const late = new Promise((_, refuse) => {
    timer = setTimeout(() => refuse(new Error(`not done after ${DEADLINE / 1000} s`)), DEADLINE)
  })
  try {
    return await Promise.race([body(), late])
  } finally {
    clearTimeout(timer)
  }
}

export class Report {
  passed = 0
  failed = 0

  /** `circumstances` tells, in a line for the log, what was there when the check failed. */
  async check(name, body, circumstances) {
    try {
      const value = await inTime(body)
      this.passed += 1
      console.log(`ok - ${name}`)
      return value
    } catch (error) {
      this.failed += 1
      console.log(`not ok - ${name}: ${String(error?.message ?? error).replaceAll('\n', ' ')}`)
      console.error(error)
      if (circumstances) console.error(circumstances())
      throw new Stopped()
    }
  }

  /** The scope that a failed check ends. */
  async flow(body) {
    try {
      await body()
    } catch (error) {
      if (!(error instanceof Stopped)) throw error
    }
  }

  finish() {
    process.exit(this.failed || !this.passed ? 1 : 0)
  }
}

export const readQuickstart = async () => JSON.parse(await readFile(process.env.TESSERA_QUICKSTART, 'utf8'))

/** The two tenants of `tessera quickstart --json`, each with a person who can sign in. */
export async function quickstartTenants() {
  const { tenants } = await readQuickstart()
  return ['acme', 'globex'].map((slug) => {
    const tenant = tenants.find((candidate) => candidate.slug === slug)
    return { slug, issuer: tenant.issuer, ...tenant.users[0], clients: tenant.clients }
  })
}

/** Runs the command line beside the running server and returns the document that it prints. */
export async function tessera(...args) {
  const { stdout } = await run(process.env.INTEROP_TESSERA, [...args, '--json'], { timeout: 60_000 })
  return stdout.trim() ? JSON.parse(stdout) : undefined
}

/** Registers a web client of this suite from RFC 7591 metadata and returns the response. */
export async function createClient(tenant, metadata) {
  const folder = await mkdtemp(join(tmpdir(), 'tessera-interop-'))
  try {
    const file = join(folder, 'metadata.json')
    await writeFile(
      file,
      JSON.stringify({
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        scope: 'openid profile email offline_access',
        token_endpoint_auth_method: 'client_secret_basic',
        ...metadata,
      }),
    )
    return await tessera(
      'client', 'create', '--tenant', tenant.slug, '--name', metadata.client_name, '--metadata-file', file,
    )
  } finally {
    await rm(folder, { recursive: true })
  }
}
