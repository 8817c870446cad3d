// oidc-provider with its own in-memory storage, set up for the same work as Tessera: the same algorithms, lifetimes and formats.
// Below /made/ it hands out codes and tokens to be spent, made by its own models, so that only what is measured costs time.

import { createHash, generateKeyPairSync } from 'node:crypto';
import Provider from 'oidc-provider';

const port = Number(process.env.PORT);
const SECRET = 'a-secret-that-is-long-enough-for-a-benchmark';
const VERIFIER = 'a-code-verifier-of-a-benchmark-that-is-long-enough-0123456789';
const REDIRECT = 'https://app.example/cb';
const SCOPE = 'openid profile email offline_access';

const key = (kind, options, alg) => ({
  ...generateKeyPairSync(kind, options).privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: alg,
});

const web = {
  client_secret: SECRET, redirect_uris: [REDIRECT], grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'],
  id_token_signed_response_alg: 'ES256', scope: SCOPE,
};

// Its own in-memory storage keeps a thousand entries and forgets the others; this one is a Map, which costs no more.
class Memory {
  static entries = new Map();
  static grants = new Map();

  constructor(name) { this.name = name; }
  key(id) { return `${this.name}:${id}`; }

  async upsert(id, payload) {
    const key = this.key(id);
    Memory.entries.set(key, payload);
    if (payload.uid) Memory.entries.set(`uid:${payload.uid}`, payload);
    if (payload.grantId && this.name !== 'Grant') {
      const keys = Memory.grants.get(payload.grantId);
      if (keys) keys.push(key); else Memory.grants.set(payload.grantId, [key]);
    }
  }

  async find(id) { return Memory.entries.get(this.key(id)); }
  async findByUid(uid) { return Memory.entries.get(`uid:${uid}`); }
  async findByUserCode() { return undefined; }
  async destroy(id) { Memory.entries.delete(this.key(id)); }
  async consume(id) { Memory.entries.get(this.key(id)).consumed = now(); }

  async revokeByGrantId(grantId) {
    for (const key of Memory.grants.get(grantId) ?? []) Memory.entries.delete(key);
    Memory.grants.delete(grantId);
  }
}

const now = () => Math.floor(Date.now() / 1000);

const provider = new Provider(`http://localhost:${port}`, {
  adapter: Memory,
  jwks: { keys: [key('ec', { namedCurve: 'P-256' }, 'ES256'), key('rsa', { modulusLength: 2048 }, 'RS256')] },
  clients: [
    { client_id: 'machine', client_secret: SECRET, grant_types: ['client_credentials'], redirect_uris: [], response_types: [], scope: 'api:read' },
    { client_id: 'web', ...web },
    { client_id: 'public', ...web, client_secret: undefined, token_endpoint_auth_method: 'none' },
  ],
  scopes: ['openid', 'offline_access', 'profile', 'email', 'api:read'],
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['updated_at'] },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, email: 'ana@acme.example', email_verified: false, updated_at: 1700000000 }) }),
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_, resource) => {
        const kind = new URL(resource).hostname.split('.')[0];
        return {
          scope: 'api:read', audience: resource, accessTokenTTL: 300,
          ...(kind === 'opaque' ? { accessTokenFormat: 'opaque' } : { accessTokenFormat: 'jwt', jwt: { sign: { alg: kind.toUpperCase() } } }),
        };
      },
    },
  },
  interactions: { url: () => '/' },
  rotateRefreshToken: (ctx) => ctx.oidc.client.clientAuthMethod === 'none',
  ttl: { AccessToken: 300, ClientCredentials: 300, AuthorizationCode: 600, IdToken: 300, RefreshToken: 86400, Grant: 86400, Session: 86400 },
  cookies: { keys: ['a key for cookies'] },
});
provider.on('server_error', (_, error) => console.error(error));

const person = 'ana';

async function grant(clientId) {
  const made = new provider.Grant({ accountId: person, clientId });
  made.addOIDCScope(SCOPE);
  return made.save();
}

const common = (client, grantId) => ({
  accountId: person, client, grantId, gty: 'authorization_code', scope: SCOPE, authTime: now(), sessionUid: 'a-session', expiresWithSession: false,
});

const make = {
  async codes(client) {
    const challenge = createHash('sha256').update(VERIFIER).digest('base64url');
    const code = new provider.AuthorizationCode({
      ...common(client, await grant(client.clientId)), redirectUri: REDIRECT, nonce: 'a-nonce', codeChallenge: challenge, codeChallengeMethod: 'S256',
    });
    return code.save();
  },
  async 'refresh-tokens'(client) {
    const token = new provider.RefreshToken({ ...common(client, await grant(client.clientId)), rotations: 0, iiat: now() });
    return token.save();
  },
  async tokens(client) {
    const token = new provider.AccessToken({ ...common(client, await grant(client.clientId)) });
    return token.save();
  },
};

provider.use(async (ctx, next) => {
  const what = /^\/made\/([a-z-]+)$/.exec(ctx.path)?.[1];
  if (!what) return next();
  const client = await provider.Client.find(what === 'refresh-tokens' ? 'public' : 'web');
  const made = [];
  for (let count = Number(ctx.query.count); count > 0; count -= 1) made.push(await make[what](client));
  ctx.body = made;
});

provider.listen(port, '127.0.0.1');
