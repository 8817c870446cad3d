// A verifier that lives as long as a service does: `jsonwebtoken` with the key cache of `jwks-rsa`.
// Reads a line {"token", "audience"}, answers a line {"ok"} or {"ok": false, "error"}. Its one argument is the issuer.
import jsonwebtoken from 'jsonwebtoken'
import jwksRsa from 'jwks-rsa'
import { createInterface } from 'node:readline'

const issuer = process.argv[2]
const metadata = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json()
const keys = jwksRsa({ jwksUri: metadata.jwks_uri, cache: true, timeout: 60_000 })

const signingKey = (header, callback) =>
  keys.getSigningKey(header.kid).then((key) => callback(null, key.getPublicKey()), callback)

const verify = (token, options) =>
  new Promise((resolve) => jsonwebtoken.verify(token, signingKey, options, (error) => resolve(error)))

for await (const line of createInterface({ input: process.stdin })) {
  const { token, audience } = JSON.parse(line)
  const error = await verify(token, { issuer, audience, algorithms: ['ES256', 'RS256'] })
  console.log(JSON.stringify(error ? { ok: false, error: `${error.name}: ${error.message}` } : { ok: true }))
}
