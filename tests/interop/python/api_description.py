"""Whether the administration API does what its OpenAPI document says: schemathesis makes requests that the document allows and such
that it forbids, for every operation, and looks at every answer.

An operator's client asks, in two passes: about things that exist (`api_seeds.py`), and about whatever the document lets one name. What schemathesis
found is printed as it says it, with the command that repeats the request. Each operation must have been answered with a success.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import requests
from api_seeds import Api, Seeds
from interop import Report, expect, expect_equal, quickstart_tenants

# By pass, how many requests are made up for each operation beside those that try the document's bounds.
PASSES = {"things that exist": "12", "whatever the document allows": "6"}
# Of the second pass: half of what is named is named in a tenant that exists, which has to be there to the end.
STRANGE = """
[dictionaries.tenants]
values = ["globex"]

[dictionaries.nobody]
values = ["nobody"]

[parameters]
"path.tenant" = { dictionary = "tenants", probability = 0.5 }

[[operations]]
include-operation-id = ["deleteTenant", "suspendTenant"]

[operations.parameters]
"path.tenant" = { dictionary = "nobody" }
"""
# Operations that can't succeed here: nobody can prove that an address is theirs.
HOPELESS = {"verifyDomain", "makeDomainCanonical"}
HERE = Path(__file__).resolve().parent
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


def bindings(quickstart, operations):
    """What schemathesis is to name: what stays wherever it stays, and what may go by operations that end something."""
    globex = next(tenant for tenant in quickstart_tenants() if tenant.slug == "globex")
    seeds = Seeds(Api(f"{root(quickstart)}/api/v1", token(quickstart)), globex)
    lists, lines, own = {}, ["[parameters]"], []
    for name, value in seeds.stays.items():
        lines.append(f'"path.{name}" = "{value}"')
    # A person by a parameter too; any version is the present one (RFC 9110 §13.1.1).
    lines += [f'"query.user" = "{seeds.stays["user"]}"', '"header.If-Match" = "*"']
    for operation in operations:
        found = seeds.of(operation)
        if operation == "createExternalSubject":
            found = {"body.user_id": [seeds.stays["user"]]}
        if operation == "createDomain":
            found = {"body.origin": [f"https://made{n}.example" for n in range(50)]}
        if not found:
            continue
        own += ["[[operations]]", f'include-operation-id = "{operation}"', "[operations.parameters]"]
        for name, values in found.items():
            lists[f"{operation}-{name.replace('.', '-')}"] = values
            own.append(f'"{name}" = {{ dictionary = "{operation}-{name.replace(".", "-")}" }}')
    written = [f"[dictionaries.{name}]\nvalues = {json.dumps(values)}" for name, values in lists.items()]
    return "\n".join([*lines, *written, *own]) + "\n"


def run(name, quickstart, config, folder):
    file = folder / "schemathesis.toml"
    file.write_text(f'hooks = "{HERE / "api_hooks.py"}"\n' + config + CONFIG, encoding="utf-8")
    command = [str(Path(sys.executable).parent / "st"), "--config-file", str(file), "run"]
    command += [f"{root(quickstart)}/api/openapi.json", "-H", f"Authorization: Bearer {token(quickstart)}"]
    command += ["--phases", "examples,coverage,fuzzing", "-n", PASSES[name], "--continue-on-failure", "--no-color"]
    command += ["--seed", "1", "--request-timeout", "30"]
    notes = os.environ | {"API_STATUSES": str(folder / "statuses")}
    done = subprocess.run(command, cwd=folder, env=notes, capture_output=True, text=True, timeout=560, check=False)
    asked = re.search(r"Tested:\s+(\d+)", done.stdout)
    if done.returncode != 0 or not asked:
        print(done.stdout[-20000:], done.stderr[-4000:], sep="\n", flush=True)
    expect_equal(done.returncode, 0, "what schemathesis ended with")
    expect(int(asked[1]) >= OPERATIONS, f"only {asked[1]} operations were tested")


def successes(folder):
    """By operation, how many requests were answered with a success."""
    lines = (folder / "statuses").read_text(encoding="utf-8").split("\n")[:-1]
    count = Counter(line.split()[0] for line in lines if line.split()[1].startswith("2"))
    print(f"{len(lines)} requests, {sum(count.values())} of them with success", flush=True)
    return count


def main():
    report = Report()
    quickstart = json.loads(Path(os.environ["TESSERA_QUICKSTART"]).read_text(encoding="utf-8"))
    # The operator's token has to last for the pass.
    subprocess.run(
        [os.environ["INTEROP_TESSERA"], "tenant", "update", "system", "--set", "access_token_lifetime=86400"],
        check=True,
        timeout=60,
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with report.flow():
            with report.check("there is something to ask about"):
                document = requests.get(f"{root(quickstart)}/api/openapi.json", timeout=60).json()
                verbs = ("get", "post", "put", "patch", "delete")
                paths = document["paths"].values()
                operations = [path[verb]["operationId"] for path in paths for verb in verbs if verb in path]
                configs = (bindings(quickstart, operations), STRANGE)
            for name, config in zip(PASSES, configs, strict=True):
                with report.flow(), report.check(f"schemathesis finds nothing: {name}"):
                    run(name, quickstart, config, folder)
            with report.check("each operation was answered with a success"):
                count = successes(folder)
                missing = [name for name in operations if not count[name] and name not in HOPELESS]
                expect(not missing, f"never: {', '.join(missing)}")
    report.finish()


if __name__ == "__main__":
    main()
