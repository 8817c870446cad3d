import jwt

keys = jwt.PyJWKClient("__ISSUER__/jwks", cache_keys=True)


def check(token: str) -> dict:
    """The claims of an access token; raises jwt.PyJWTError where it isn't good."""
    if jwt.get_unverified_header(token).get("typ", "").lower() != "at+jwt":
        raise jwt.InvalidTokenError("not an access token")
    return jwt.decode(
        token,
        keys.get_signing_key_from_jwt(token),
        algorithms=["ES256", "RS256"],
        issuer="__ISSUER__",
        audience="__AUDIENCE__",
        options={"require": ["exp", "iss", "aud", "sub"]},
    )


# Then look at the scope: "__FIRST_SCOPE__" in claims["scope"].split()
