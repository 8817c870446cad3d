// A verifier that lives as long as a service does: `jose` with the key cache of createRemoteJWKSet.
// Reads a line {"token", "audience"}, answers a line {"ok"} or {"ok": false, "error"}. Its one argument is the issuer.
import { createRemoteJWKSet, errors, jwtVerify } from 'jose'
import { createInterface } from 'node:readline'

const issuer = process.argv[2]
const metadata = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json()
// A service leaves the cooldown at its 30 seconds; the suite asks for the new key sooner than that.
const keys = createRemoteJWKSet(new URL(metadata.jwks_uri), { cooldownDuration: 0 })

for await (const line of createInterface({ input: process.stdin })) {
  const { token, audience } = JSON.parse(line)
  try {
    await jwtVerify(token, keys, { issuer, audience, algorithms: ['ES256', 'RS256'], requiredClaims: ['exp', 'sub'] })
    console.log(JSON.stringify({ ok: true }))
  } catch (error) {
    if (!(error instanceof errors.JOSEError)) throw error
    console.log(JSON.stringify({ ok: false, error: `${error.code}: ${error.message}` }))
  }
}
