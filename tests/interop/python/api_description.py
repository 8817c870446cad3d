"""Whether the administration API does what its OpenAPI document says: schemathesis makes requests that the document allows and such
that it forbids, for every operation, and looks at every answer.

An operator's client asks, in two passes: about a tenant that exists, and about whatever the document lets one name. What schemathesis
found is printed as it says it, with the command that repeats the request.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import requests
from interop import Report, expect, expect_equal

PASSES = {
    # Deleting or suspending the tenant would leave the rest of the pass nothing to ask about; the second pass names them too.
    "a tenant that exists": ('[parameters]\n"path.tenant" = "globex"\n', ["deleteTenant", "suspendTenant"]),
    "whatever the document allows": ("", []),
}
EXAMPLES = os.environ.get("API_EXAMPLES", "15")
# Operations that schemathesis must have asked at the least, so that a document that lost some can't pass.
OPERATIONS = 50

CONFIG = """
# 412: a version that isn't the present one; 422: what rules between the fields refuse, beyond any schema.
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "401", "403", "404", "409", "412", "422"]

# RFC 6585 §3 made 428 for a conditional request that has no condition.
[checks.missing_required_header]
expected-statuses = ["400", "401", "403", "406", "415", "422", "428"]

# A version that isn't the present one is refused before the body is looked at.
[checks.negative_data_rejection]
expected-statuses = ["400", "401", "403", "404", "405", "406", "409", "412", "415", "422", "428"]

[warnings]
enabled = false
"""


def token(quickstart):
    operator = quickstart["operator"]
    metadata = requests.get(f"{operator['issuer']}/.well-known/openid-configuration", timeout=30).json()
    answer = requests.post(
        metadata["token_endpoint"],
        auth=(operator["client_id"], operator["client_secret"]),
        data={"grant_type": "client_credentials", "scope": "tessera:admin", "resource": f"{root(quickstart)}/api/v1"},
        timeout=30,
    )
    expect_equal(answer.status_code, 200, f"the token endpoint's status ({answer.text})")
    return answer.json()["access_token"]


def root(quickstart):
    issuer = quickstart["operator"]["issuer"]
    return issuer.removesuffix("/t/system")


def run(name, quickstart, folder):
    config, excluded = PASSES[name]
    file = folder / "schemathesis.toml"
    file.write_text(config + CONFIG)
    command = [str(Path(sys.executable).parent / "st"), "--config-file", str(file), "run"]
    command += [f"{root(quickstart)}/api/openapi.json", "-H", f"Authorization: Bearer {token(quickstart)}"]
    command += ["--phases", "examples,coverage,fuzzing", "-n", EXAMPLES, "--continue-on-failure", "--no-color"]
    command += ["--seed", "1", "--request-timeout", "30"]
    for operation in excluded:
        command += ["--exclude-operation-id", operation]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=560, check=False)
    asked = re.search(r"Tested:\s+(\d+)", done.stdout)
    if done.returncode != 0 or not asked:
        print(done.stdout[-20000:], done.stderr[-4000:], sep="\n", flush=True)
    expect_equal(done.returncode, 0, "what schemathesis ended with")
    expect(int(asked[1]) >= OPERATIONS, f"only {asked[1]} operations were tested")


def main():
    report = Report()
    quickstart = json.loads(Path(os.environ["TESSERA_QUICKSTART"]).read_text(encoding="utf-8"))
    # The operator's token has to last for the pass.
    subprocess.run(
        [os.environ["INTEROP_TESSERA"], "tenant", "update", "system", "--set", "access_token_lifetime=86400"],
        check=True,
        timeout=60,
    )
    with tempfile.TemporaryDirectory() as folder:
        for name in PASSES:
            with report.flow(), report.check(f"schemathesis finds nothing: {name}"):
                run(name, quickstart, Path(folder))
    report.finish()


if __name__ == "__main__":
    main()
