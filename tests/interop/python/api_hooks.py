"""What schemathesis runs within itself: it notes which operation was answered by what."""

import os

import schemathesis

NOTES = open(os.environ["API_STATUSES"], "a", buffering=1, encoding="utf-8")


@schemathesis.hook
def after_call(context, case, response):
    NOTES.write(f"{case.operation.definition.raw['operationId']} {response.status_code}\n")
