// The whole flow with oauth4webapi. Says where the person has to go, reads where they came back
// to, and says what it got.
import { createInterface } from "node:readline";
import * as oauth from "oauth4webapi";

const { ISSUER, CLIENT_ID, CLIENT_SECRET, REDIRECT_URI } = process.env;
const insecure = { [oauth.allowInsecureRequests]: true };
const issuer = new URL(ISSUER);
// RFC 8414 here; the other client reads OpenID Connect Discovery.
const as = await oauth.processDiscoveryResponse(
  issuer, await oauth.discoveryRequest(issuer, { ...insecure, algorithm: "oauth2" }));
const oidc = await oauth.processDiscoveryResponse(
  issuer, await oauth.discoveryRequest(issuer, { ...insecure, algorithm: "oidc" }));
const client = { client_id: CLIENT_ID };
const auth = oauth.ClientSecretBasic(CLIENT_SECRET);
const verifier = oauth.generateRandomCodeVerifier();
const state = oauth.generateRandomState();
const nonce = oauth.generateRandomNonce();
const url = new URL(as.authorization_endpoint);
for (const [name, value] of Object.entries({
  client_id: CLIENT_ID,
  redirect_uri: REDIRECT_URI,
  response_type: "code",
  scope: "openid email offline_access projects:read",
  code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
  code_challenge_method: "S256",
  state,
  nonce,
  prompt: "consent",
})) url.searchParams.set(name, value);
console.log(url.href);
const [callback] = await new Promise((resolve) =>
  createInterface({ input: process.stdin }).once("line", (line) => resolve([line])));
const parameters = oauth.validateAuthResponse(oidc, client, new URL(callback), state);
const answer = await oauth.authorizationCodeGrantRequest(
  oidc, client, auth, parameters, REDIRECT_URI, verifier, insecure);
const tokens = await oauth.processAuthorizationCodeResponse(
  oidc, client, answer, { expectedNonce: nonce, requireIdToken: true });
await oauth.validateApplicationLevelSignature(oidc, answer, insecure);
const claims = oauth.getValidatedIdTokenClaims(tokens);
const userinfo = await oauth.processUserInfoResponse(
  oidc, client, claims.sub, await oauth.userInfoRequest(oidc, client, tokens.access_token, insecure));
const introspect = async (token) => oauth.processIntrospectionResponse(
  oidc, client, await oauth.introspectionRequest(oidc, client, auth, token, insecure));
const active = await introspect(tokens.access_token);
const refreshed = await oauth.processRefreshTokenResponse(
  oidc, client, await oauth.refreshTokenGrantRequest(oidc, client, auth, tokens.refresh_token, insecure));
await oauth.processRevocationResponse(
  await oauth.revocationRequest(oidc, client, auth, refreshed.refresh_token, insecure));
const ended = await introspect(refreshed.access_token);
const machine = await oauth.processClientCredentialsResponse(
  oidc, client, await oauth.clientCredentialsGrantRequest(
    oidc, client, auth, new URLSearchParams({ scope: "projects:read" }), insecure));
console.log(JSON.stringify({
  email: userinfo.email, iss: claims.iss, active: active.active, ended: ended.active,
  machine: machine.scope }));
process.exit(0);
