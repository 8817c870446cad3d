import * as client from "openid-client";

const config = await client.discovery(
  new URL("__ISSUER__"),
  "__CLIENT_ID__",
  undefined,
  client.__JS_AUTH__(process.env.OIDC_CLIENT_SECRET),__JS_INSECURE__
);
const tokens = await client.clientCredentialsGrant(config, { scope: "__SCOPE__"__JS_RESOURCE__ });
// Keep it for tokens.expires_in seconds, then ask for another one.
const answer = await fetch("https://api.example.com/", {
  headers: { authorization: `Bearer ${tokens.access_token}` },
});
