"""Whether the administration API does what its OpenAPI document says: schemathesis makes requests that the document allows and such
that it forbids, for every operation, and looks at every answer.

An operator's client asks, in three passes: about a tenant that exists, about things that exist in a tenant, and about whatever the
document lets one name. What schemathesis found is printed as it says it, with the command that repeats the request. In the second pass
each operation of the document has to succeed: for schemathesis, or for `api_things`, which makes the things.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import requests
from api_things import Api, things
from interop import Report, expect, expect_equal

EXAMPLES = os.environ.get("API_EXAMPLES", "15")
# Where what is named is given, less is left to vary.
FEW_EXAMPLES = "5"
# Operations that schemathesis must have asked at the least, so that a document that lost some can't pass.
OPERATIONS = 50

# What data that the schemas allow is answered with. 412: a version that isn't the present one; 422: what rules between the fields
# refuse, beyond any schema.
ACCEPTANCE = ["2xx", "401", "403", "409", "412", "422"]

CONFIG = f"""
[checks.positive_data_acceptance]
expected-statuses = {json.dumps([*ACCEPTANCE, "404"])}

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


def run(quickstart, folder, config="", excluded=(), more=()):
    file = folder / "schemathesis.toml"
    file.write_text(CONFIG + config)
    command = [str(Path(sys.executable).parent / "st"), "--config-file", str(file), "run"]
    command += [f"{root(quickstart)}/api/openapi.json", "-H", f"Authorization: Bearer {token(quickstart)}"]
    command += ["--phases", "examples,coverage,fuzzing", "-n", EXAMPLES, "--continue-on-failure", "--no-color"]
    command += ["--seed", "1", "--request-timeout", "30", *more]
    for operation in excluded:
        command += ["--exclude-operation-id", operation]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=560, check=False)
    asked = re.search(r"Tested:\s+(\d+)", done.stdout)
    if done.returncode != 0 or not asked:
        print(done.stdout[-20000:], done.stderr[-4000:], sep="\n", flush=True)
    expect_equal(done.returncode, 0, "what schemathesis ended with")
    expect(int(asked[1]) >= OPERATIONS, f"only {asked[1]} operations were tested")


def ask_about_things(quickstart, folder):
    """The operations that never succeeded."""
    api = Api(root(quickstart), token(quickstart))
    report = folder / "report.ndjson"
    with things(api) as made:
        more = ["-n", FEW_EXAMPLES, "--report", "ndjson", "--report-ndjson-path", str(report)]
        run(quickstart, folder, made.config(ACCEPTANCE), api.about_any_tenant(), more)
    answered = set(successes(report))
    known = api.operations.items()
    return [name for name, (method, path, _) in known if name not in api.succeeded and (method, path) not in answered]


def successes(report):
    """Method and path, as the document has it, of each operation that a request of schemathesis's was successful at."""
    with report.open(encoding="utf-8") as lines:
        for line in lines:
            recorder = json.loads(line).get("ScenarioFinished", {}).get("recorder", {})
            for interaction in recorder.get("interactions", {}).values():
                method, _, path = recorder["label"].partition(" ")
                answer = interaction["response"]
                # Other methods than the operation's are tried, too.
                if answer and answer["status_code"] // 100 == 2 and interaction["request"]["method"] == method:
                    yield method, path


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
        folder = Path(folder)
        with report.flow(), report.check("schemathesis finds nothing: a tenant that exists"):
            # Deleting or suspending the tenant would leave the rest of the pass nothing to ask about; the other passes name them, too.
            run(quickstart, folder, '[parameters]\n"path.tenant" = "globex"\n', ["deleteTenant", "suspendTenant"])
        with report.flow():
            with report.check("schemathesis finds nothing: things that exist in a tenant"):
                failed = ask_about_things(quickstart, folder)
            with report.check("each operation succeeds"):
                expect(not failed, f"no success of {', '.join(failed)}")
        with report.flow(), report.check("schemathesis finds nothing: whatever the document allows"):
            run(quickstart, folder)
    report.finish()


if __name__ == "__main__":
    main()
