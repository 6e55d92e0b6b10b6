"""The IAM policies in docs/operations/doctor.md and docs/operations/backfill.md."""

import json
import re
from typing import Any

from local.deployment import OUTPUT_BUCKET
from local.environment import ACCOUNT, REGION
from tests.support.documents import blocks

DOCTOR = "docs/operations/doctor.md"
BACKFILL = "docs/operations/backfill.md"

MINISTACK_ACTIONS = {
    "events:DescribeEventBus": "events:DescribeEventBus",
    "iam:SimulatePrincipalPolicy": "iam:SimulatePrincipalPolicy",
    "lambda:GetEventSourceMapping": "lambda:ListEventSourceMappings",
    "lambda:GetFunctionConcurrency": "lambda:PutFunctionConcurrency",
}
"""The actions that MiniStack checks instead of these. It ignores their resources too."""


def doctor_statements() -> list[dict[str, Any]]:
    """Return the statements of the doctor's policy, with their actions as lists."""
    (policy,) = blocks(DOCTOR, "json")
    return [
        {**each, "Action": [each["Action"]] if isinstance(each["Action"], str) else each["Action"]}
        for each in json.loads(policy)["Statement"]
    ]


def policy_of(statements: list[dict[str, Any]]) -> str:
    """Return a policy with these statements, adapted to MiniStack."""
    documented = {action for each in statements for action in each["Action"]}
    actions = [MINISTACK_ACTIONS[each] for each in sorted(documented & MINISTACK_ACTIONS.keys())]
    added = [{"Effect": "Allow", "Action": actions, "Resource": "*"}] if actions else []
    return json.dumps({"Version": "2012-10-17", "Statement": [*statements, *added]})


def backfill_policy(table_name: str) -> str:
    """Return the policy for backfilling a table of the local system."""
    (policy,) = blocks(BACKFILL, "json")
    values = {
        "REGION": REGION,
        "ACCOUNT": ACCOUNT,
        "TABLE_NAME": table_name,
        "BUCKET": OUTPUT_BUCKET,
    }
    for name, value in values.items():
        policy = re.sub(rf"\b{name}\b", value, policy)
    return policy
