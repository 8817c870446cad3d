// Who takes part in a token exchange (RFC 8693): a service that was called, the API that it calls next, and what allows it.
import { createClient, tessera } from './interop.mjs'

export const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
export const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'

/**
 * Makes each tenant's API that is called next, and gives its identifier by the tenant's slug. To be made at the start: the command line is
 * another process, and the running server hears of a resource within a second.
 */
export async function exchangeTargets(tenants) {
  const targets = {}
  for (const { slug } of tenants) {
    targets[slug] = `https://stock-${process.pid}.example`
    await tessera('resource', 'create', '--tenant', slug, '--identifier', targets[slug], '--scope', 'stock:read')
  }
  return targets
}

/** The service that may exchange tokens for itself for ones of `target`. */
export const exchangingService = (tenant, target) =>
  createClient(tenant, {
    client_name: 'orders',
    grant_types: [EXCHANGE],
    response_types: [],
    scope: undefined,
    token_exchange_subjects: [tenant.issuer],
    token_exchange_targets: [target],
    token_exchange_scope: 'stock:read',
  })
