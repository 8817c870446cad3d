import { createRemoteJWKSet, jwtVerify } from "jose";

const keys = createRemoteJWKSet(new URL("__ISSUER__/jwks"));

// An Express middleware.
export async function authenticated(req, res, next) {
  const [scheme, token] = (req.headers.authorization ?? "").split(" ");
  if (scheme.toLowerCase() !== "bearer" || !token) {
    return res.status(401).set("WWW-Authenticate", "Bearer").end();
  }
  try {
    const { payload } = await jwtVerify(token, keys, {
      issuer: "__ISSUER__",
      audience: "__AUDIENCE__",
      typ: "at+jwt",
    });
    req.claims = payload;
  } catch {
    return res.status(401).set("WWW-Authenticate", 'Bearer error="invalid_token"').end();
  }
  // Then look at the scope: req.claims.scope.split(" ").includes("__FIRST_SCOPE__")
  next();
}
