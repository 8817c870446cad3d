"""The Django example's live tests against the running server, reported as the other clients report."""

import os
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "django-drf"


class Lines:
    """Prints each test's outcome as a check."""

    def pytest_runtest_logreport(self, report):
        if report.failed:
            reason = str(report.longrepr).strip().splitlines()[-1:] or [report.outcome]
            print(f"\nnot ok - {report.nodeid} ({report.when}): {reason[0]}", flush=True)
        elif report.when == "call":
            # A skipped test has shown nothing.
            print(f"\n{'ok' if report.passed else 'not ok'} - {report.nodeid}", flush=True)


def main():
    os.environ["TESSERA_BIN"] = os.environ["INTEROP_TESSERA"]
    os.chdir(EXAMPLE)
    sys.path.insert(0, str(EXAMPLE))
    sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "tests/live", *sys.argv[1:]], plugins=[Lines()]))


if __name__ == "__main__":
    main()
