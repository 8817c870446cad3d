import os

from authlib.integrations.requests_client import OAuth2Session

session = OAuth2Session(
    "__CLIENT_ID__",
    os.environ["OIDC_CLIENT_SECRET"],
    scope="__SCOPE__",
    token_endpoint_auth_method="__METHOD__",
)
token = session.fetch_token("__ISSUER__/token", grant_type="client_credentials"__PY_RESOURCE__)
# The session sends the token along. Ask for another one when token["expires_in"] seconds have passed.
answer = session.get("https://api.example.com/")
