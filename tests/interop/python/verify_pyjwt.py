"""A verifier that lives as long as a service does: PyJWT with the key cache of PyJWKClient.

Reads a line `{"token", "audience"}`, answers a line `{"ok"}` or `{"ok": false, "error"}`. Its one argument is the issuer.
"""

import json
import sys

import jwt
import requests


def main():
    issuer = sys.argv[1]
    metadata = requests.get(f"{issuer}/.well-known/openid-configuration", timeout=60).json()
    # A service leaves the cooldown at its 30 seconds; the suite asks for the new key sooner than that.
    keys = jwt.PyJWKClient(metadata["jwks_uri"], cooldown_duration=0)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            key = keys.get_signing_key_from_jwt(request["token"])
            jwt.decode(
                request["token"],
                key,
                algorithms=["ES256", "RS256"],
                audience=request["audience"],
                issuer=issuer,
                options={"require": ["iss", "aud", "exp", "sub"]},
            )
            answer = {"ok": True}
        except jwt.PyJWTError as error:
            answer = {"ok": False, "error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
