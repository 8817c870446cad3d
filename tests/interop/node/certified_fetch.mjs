// `fetch` as the libraries want it, with a certificate of the client's own at the TLS layer: what Node.js's own offers to no program without a
// further package.
import { readFile } from 'node:fs/promises'
import { request } from 'node:https'
import { join } from 'node:path'

const read = (name) => readFile(join(process.env.INTEROP_CERTIFICATES, name), 'utf8')

/** The authority that the tests' certificates are of, and the certificate of a name. */
export const pem = (name) => read(`${name}.pem`)

/** Sends https with the certificate of this name, and everything else as usual. */
export async function certifiedFetch(name) {
  const [ca, cert, key] = await Promise.all([pem('ca'), pem(name), read(`${name}.key`)])
  return (url, { method, headers, body } = {}) => {
    if (!String(url).startsWith('https:')) return fetch(url, { method, headers, body, redirect: 'manual' })
    return new Promise((resolve, reject) => {
      const sent = request(url, { method, ca, cert, key, headers: Object.fromEntries(new Headers(headers)) }, (answer) => {
        const parts = []
        answer.on('data', (part) => parts.push(part))
        answer.on('error', reject)
        answer.on('end', () => {
          const told = new Headers()
          for (let at = 0; at < answer.rawHeaders.length; at += 2) told.append(answer.rawHeaders[at], answer.rawHeaders[at + 1])
          const empty = [204, 304].includes(answer.statusCode)
          resolve(new Response(empty ? null : Buffer.concat(parts), { status: answer.statusCode, headers: told }))
        })
      })
      sent.on('error', reject)
      if (body !== undefined && body !== null) sent.write(String(body))
      sent.end()
    })
  }
}
