// The whole flow with openid-client. Says where the person has to go, reads where they came back
// to, and says what it got.
import { createInterface } from "node:readline";
import * as client from "openid-client";

const { ISSUER, CLIENT_ID, CLIENT_SECRET, REDIRECT_URI } = process.env;
const options = { execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks] };
const config = await client.discovery(
  new URL(ISSUER), CLIENT_ID, CLIENT_SECRET, client.ClientSecretBasic(CLIENT_SECRET), options);
const pkceCodeVerifier = client.randomPKCECodeVerifier();
const expectedState = client.randomState();
const expectedNonce = client.randomNonce();
const url = client.buildAuthorizationUrl(config, {
  redirect_uri: REDIRECT_URI,
  scope: "openid email offline_access projects:read",
  code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
  code_challenge_method: "S256",
  state: expectedState,
  nonce: expectedNonce,
  prompt: "consent",
});
console.log(url.href);
const [callback] = await new Promise((resolve) =>
  createInterface({ input: process.stdin }).once("line", (line) => resolve([line])));
const tokens = await client.authorizationCodeGrant(config, new URL(callback), {
  pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true });
const claims = tokens.claims();
const userinfo = await client.fetchUserInfo(config, tokens.access_token, claims.sub);
const active = await client.tokenIntrospection(config, tokens.access_token);
const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token);
await client.tokenRevocation(config, refreshed.refresh_token);
const ended = await client.tokenIntrospection(config, refreshed.access_token);
const machine = await client.clientCredentialsGrant(config, { scope: "projects:read" });
console.log(JSON.stringify({
  email: userinfo.email, iss: claims.iss, active: active.active, ended: ended.active,
  machine: machine.scope }));
process.exit(0);
