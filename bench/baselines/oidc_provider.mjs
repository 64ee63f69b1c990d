// The npm package oidc-provider with what it remembers in its own memory: no database is asked.
import { generateKeyPairSync } from 'node:crypto';
import Provider from 'oidc-provider';

const { PORT, CLIENT_SECRET } = process.env;
const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' });
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' });

const resources = {
  'https://jwt.example': { scope: 'projects:read', accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } } },
  'https://opaque.example': { scope: 'projects:read', accessTokenFormat: 'opaque' },
};

const provider = new Provider(`http://127.0.0.1:${PORT}`, {
  jwks: { keys: [{ ...rsa, alg: 'RS256', use: 'sig' }, { ...key, alg: 'ES256', use: 'sig' }] },
  clients: [
    {
      client_id: 'machine',
      client_secret: CLIENT_SECRET,
      redirect_uris: [],
      response_types: [],
      grant_types: ['client_credentials'],
      scope: 'projects:read',
      token_endpoint_auth_method: 'client_secret_post',
    },
  ],
  scopes: ['openid', 'projects:read'],
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    resourceIndicators: { enabled: true, getResourceServerInfo: (_, resource) => resources[resource] },
  },
});

provider.listen(Number(PORT), '127.0.0.1');
