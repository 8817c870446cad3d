import time

import requests

ISSUER = "__ISSUER__"
CLIENT = {"client_id": "__CLIENT_ID__"}

server = requests.get(f"{ISSUER}/.well-known/openid-configuration", timeout=10).json()
codes = requests.post(
    server["device_authorization_endpoint"],
    data={**CLIENT, "scope": "__SCOPE__"__PY_DEVICE_RESOURCE__},
    timeout=10,
).json()
print("Open", codes["verification_uri"], "and enter", codes["user_code"])

interval = codes.get("interval", 5)
while True:
    time.sleep(interval)
    answer = requests.post(
        server["token_endpoint"],
        data={
            **CLIENT,
            "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
            "device_code": codes["device_code"],
        },
        timeout=10,
    ).json()
    if answer.get("error") == "slow_down":
        interval += 5
    elif answer.get("error") != "authorization_pending":
        break
print(answer.get("access_token") or answer)
