import http.server
import urllib.parse

from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if urllib.parse.urlsplit(self.path).path != "__REDIRECT_PATH__":
            return self.send_error(404)
        self.server.query = self.path
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"Signed in. You can close this page.\n")

    def log_message(self, *args):
        pass


# Any free port: of a loopback address only the port may differ from what is registered.
server = http.server.HTTPServer(("127.0.0.1", 0), Answer)
redirect_uri = f"http://127.0.0.1:{server.server_port}__REDIRECT_PATH__"
session = OAuth2Session(
    "__CLIENT_ID__",
    scope="__SCOPE__",
    redirect_uri=redirect_uri,
    code_challenge_method="S256",
    token_endpoint_auth_method="none",
)
verifier = generate_token(48)
url, state = session.create_authorization_url("__ISSUER__/authorize", code_verifier=verifier)
print("Open", url)

server.query = None
while server.query is None:
    server.handle_request()
# Compares the state as well.
token = session.fetch_token(
    "__ISSUER__/token",
    authorization_response=f"http://127.0.0.1{server.query}",
    state=state,
    code_verifier=verifier,
)
print("Signed in:", session.get("__ISSUER__/userinfo").json()["sub"])
