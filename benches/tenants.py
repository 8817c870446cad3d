#!/usr/bin/env python3
"""Writes N tenants as `tessera tenant import` takes them, always the same ones:

    benches/tenants.py 20000 | tessera tenant import

Tenant `tenant-000001` has the person `person@tenant-000001.example` with PASSWORD (imported as a hash at the default parameters), a
confidential client with SECRET for client_credentials and authorization_code, and a public client for authorization_code. Their ids
follow from the number: `benches/tenants.py --ids 1` prints those of one tenant.
"""

import argparse
import json
import sys
import uuid

PASSWORD = "correct horse battery staple"
PASSWORD_HASH = "$argon2id$v=19$m=19456,t=2,p=1$fa2+zvMori9Tk4RapYUlUw$/fVFLtWfVFaM4XPpUXCkLVGuKjibx9nwIKCgiArqtDo"
SECRET = "a-secret-that-benchmarks-know-0123456789"

# Identifiers as the server makes them, ordered by time: one millisecond a tenant from a moment long ago.
EPOCH_MS = 1_700_000_000_000


def identifier(number: int, kind: int) -> str:
    return str(uuid.UUID(int=(EPOCH_MS + number) << 80 | 0x7 << 76 | kind << 64 | 0x2 << 62 | number))


def ids(number: int) -> dict:
    names = ("tenant", "user", "confidential_client", "public_client")
    return {name: identifier(number, kind) for kind, name in enumerate(names)}


def tenant(number: int) -> list:
    slug = f"tenant-{number:06}"
    known = ids(number)
    application = f"https://app.{slug}.example"
    return [
        {"tenant": {"id": known["tenant"], "slug": slug, "name": f"Tenant {number}"}},
        {
            "user": {
                "id": known["user"],
                "email": f"person@{slug}.example",
                "email_verified": True,
                "password_hash": PASSWORD_HASH,
                "claims": {"name": f"Person of tenant {number}"},
            }
        },
        {
            "client": {
                "client_id": known["confidential_client"],
                "client_secret": SECRET,
                "client_name": "Service",
                "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
                "redirect_uris": [f"{application}/callback"],
                "scope": "openid profile email offline_access",
            }
        },
        {
            "client": {
                "client_id": known["public_client"],
                "client_name": "Application",
                "token_endpoint_auth_method": "none",
                "grant_types": ["authorization_code", "refresh_token"],
                "redirect_uris": [f"{application}/app/callback"],
                "scope": "openid profile email offline_access",
            }
        },
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("number", type=int, help="how many tenants; with --ids, which one")
    parser.add_argument("--ids", action="store_true", help="print the identifiers of one tenant instead")
    arguments = parser.parse_args()
    if arguments.ids:
        print(json.dumps(ids(arguments.number), indent=2))
        return
    for number in range(1, arguments.number + 1):
        for line in tenant(number):
            sys.stdout.write(json.dumps(line, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:
        sys.exit(1)
