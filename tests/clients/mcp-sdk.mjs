// An MCP client in TypeScript: finds the server by the resource, registers itself, and refreshes.
// Says where the person has to go, reads where they came back to, and says what it got.
import { createInterface } from "node:readline";
import { auth } from "@modelcontextprotocol/sdk/client/auth.js";

const { ISSUER, REDIRECT_URI } = process.env;
const serverUrl = `${ISSUER}/api/v1`;
const kept = {};
const provider = {
  redirectUrl: REDIRECT_URI,
  clientMetadata: {
    client_name: "MCP client in TypeScript",
    redirect_uris: [REDIRECT_URI],
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
    token_endpoint_auth_method: "client_secret_post",
  },
  clientInformation: () => kept.information,
  saveClientInformation: (information) => { kept.information = information; },
  tokens: () => kept.tokens,
  saveTokens: (tokens) => { kept.tokens = tokens; },
  codeVerifier: () => kept.verifier,
  saveCodeVerifier: (verifier) => { kept.verifier = verifier; },
  redirectToAuthorization: (url) => console.log(url.href),
};
await auth(provider, { serverUrl });
const [callback] = await new Promise((resolve) =>
  createInterface({ input: process.stdin }).once("line", (line) => resolve([line])));
const authorizationCode = new URL(callback).searchParams.get("code");
await auth(provider, { serverUrl, authorizationCode });
const first = kept.tokens.access_token;
await auth(provider, { serverUrl });
const { org } = JSON.parse(Buffer.from(kept.tokens.access_token.split(".")[1], "base64url"));
const answer = await fetch(`${serverUrl}/organizations/${org}/projects`, {
  headers: { authorization: `Bearer ${kept.tokens.access_token}` },
});
console.log(JSON.stringify({
  method: kept.information.token_endpoint_auth_method,
  refreshed: kept.tokens.access_token !== first,
  status: answer.status,
}));
process.exit(0);
