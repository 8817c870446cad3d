// A key pair of a client: its private half to sign with, its public half as the client's metadata has it.
import { exportJWK, generateKeyPair } from 'jose'

export async function clientKey(alg = 'ES256') {
  const pair = await generateKeyPair(alg, { extractable: true })
  const jwk = { ...(await exportJWK(pair.publicKey)), kid: 'interop', alg, use: 'sig' }
  return { jwks: { keys: [jwk] }, key: { key: pair.privateKey, kid: 'interop' } }
}
