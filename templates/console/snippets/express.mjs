// Start it by: node server.mjs
// It needs OIDC_CLIENT_SECRET, and SESSION_SECRET: a long random text of your own.
import express from "express";
import session from "express-session";
import * as client from "openid-client";

const redirectUri = "__REDIRECT_URI__";
const config = await client.discovery(
  new URL("__ISSUER__"),
  "__CLIENT_ID__",
  undefined,
  client.__JS_AUTH__(process.env.OIDC_CLIENT_SECRET),__JS_INSECURE__
);

const app = express();
app.use(session({ secret: process.env.SESSION_SECRET, resave: false, saveUninitialized: false }));

app.get("/login", async (req, res) => {
  const codeVerifier = client.randomPKCECodeVerifier();
  const state = client.randomState();
  const nonce = client.randomNonce();
  req.session.signIn = { codeVerifier, state, nonce };
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: redirectUri,
    scope: "__SCOPE__",
    state,
    nonce,
    code_challenge: await client.calculatePKCECodeChallenge(codeVerifier),
    code_challenge_method: "S256",
  });
  res.redirect(url.href);
});

app.get("__REDIRECT_PATH__", async (req, res) => {
  if (!req.session.signIn) return res.redirect("/login");
  const { codeVerifier, state, nonce } = req.session.signIn;
  const tokens = await client.authorizationCodeGrant(config, new URL(req.originalUrl, redirectUri), {
    pkceCodeVerifier: codeVerifier,
    expectedState: state,
    expectedNonce: nonce,
    idTokenExpected: true,
  });
  // Name, e-mail address and the rest; `sub` is who it is.
  const user = await client.fetchUserInfo(config, tokens.access_token, tokens.claims().sub);
  // A new session id at sign-in, so that nobody else knows it.
  req.session.regenerate(() => {
    req.session.user = user;
    res.redirect("/");
  });
});

app.get("/", (req, res) => res.json(req.session.user ?? "Not signed in: see /login"));
app.listen(__PORT__, () => console.log("Open", new URL("/login", redirectUri).href));
