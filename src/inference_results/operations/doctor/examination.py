"""All checks of a deployment, put together."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import chain
from typing import Any, Final, Self

import boto3
from botocore.config import Config

from inference_results.adapters.table.overdue import OverdueQueries
from inference_results.adapters.table.queries import InferenceQueries
from inference_results.contract import Variable
from inference_results.operations.doctor.deployment import Deployment
from inference_results.operations.doctor.endpoints import NotifiedEndpoints
from inference_results.operations.doctor.finding import Check, Examiner, Finding
from inference_results.operations.doctor.functions import Functions
from inference_results.operations.doctor.queues import Queues
from inference_results.operations.doctor.records import RecordChecks
from inference_results.operations.doctor.stack_state import stack_findings
from inference_results.operations.doctor.surroundings import Surroundings
from inference_results.operations.doctor.tables import Tables
from inference_results.operations.doctor.topics import Topics
from inference_results.operations.endpoints.permissions import PermissionSimulator

Look = Callable[[], Iterator[Finding]]

_SIDE_BY_SIDE: Final = 8
_SERVICES: Final = (
    *("dynamodb", "events", "iam", "kms", "lambda"),
    *("sagemaker", "scheduler", "sns", "sqs"),
)
_CONFIG: Final = Config(
    connect_timeout=5,
    read_timeout=20,
    retries={"mode": "standard", "total_max_attempts": 5},
    max_pool_connections=2 * _SIDE_BY_SIDE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """The findings of all checks, in their order, and how many checks were made."""

    findings: tuple[Finding, ...]
    checks: int

    @classmethod
    def of(
        cls,
        session: boto3.Session,
        stack_name: str,
        *,
        endpoints: tuple[str, ...],
        since: datetime,
        now: datetime,
    ) -> Self:
        """Of a stack of this service; records count as lost from `since` on.

        Raises InvalidRequest, NotAuthorized, ServiceUnavailable or UnexpectedResponse where the stack
        cannot be read: nothing can be checked then.
        """
        client = partial(session.client, config=_CONFIG)
        deployment = Deployment.read(client("cloudformation"), stack_name)
        clients = {name: client(name) for name in _SERVICES}
        with (
            ThreadPoolExecutor(_SIDE_BY_SIDE) as queries,
            ThreadPoolExecutor(_SIDE_BY_SIDE) as pool,
        ):
            looks = [
                *_looks(Examiner(()), [_check_of_stack(deployment)]),
                *_looks_at_resources(deployment, clients),
                *_looks_at_endpoints(deployment, clients, endpoints),
                *_looks(
                    Examiner((clients["dynamodb"],)),
                    _checks_of_records(deployment, clients["dynamodb"], queries, since, now),
                ),
            ]
            found = pool.map(lambda look: list(look()), looks)
            return cls(findings=once(chain.from_iterable(found)), checks=len(looks))


def once(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Several checks of one resource may find that it is gone, or that a right is missing."""
    found: dict[tuple[str, ...], Finding] = {}
    for each in findings:
        found.setdefault((each.symptom, each.resource, each.problem), each)
    return tuple(found.values())


def _looks(examine: Examiner, checks: Iterable[Check]) -> Iterator[Look]:
    return (partial(examine, each) for each in checks)


def _check_of_stack(deployment: Deployment) -> Check:
    stack = deployment.stack
    return Check(resource=stack.name, run=partial(stack_findings, stack))


def _looks_at_resources(deployment: Deployment, clients: Mapping[str, Any]) -> Iterator[Look]:
    sns, sqs, lambda_, dynamodb, scheduler, events, kms = (
        clients[each] for each in ("sns", "sqs", "lambda", "dynamodb", "scheduler", "events", "kms")
    )
    functions = Functions(deployment=deployment, lambda_=lambda_, sqs=sqs, dynamodb=dynamodb)
    surroundings = Surroundings(deployment=deployment, scheduler=scheduler, events=events, kms=kms)
    yield from _looks(Examiner((sns,)), Topics(deployment=deployment, sns=sns).checks())
    yield from _looks(Examiner((sqs,)), Queues(deployment=deployment, sqs=sqs).checks())
    yield from _looks(Examiner((lambda_, sqs, dynamodb)), functions.checks())
    yield from _looks(
        Examiner((dynamodb,)), Tables(deployment=deployment, dynamodb=dynamodb).checks()
    )
    yield from _looks(Examiner((scheduler, events, kms)), surroundings.checks())


def _looks_at_endpoints(
    deployment: Deployment, clients: Mapping[str, Any], asked: tuple[str, ...]
) -> Iterator[Look]:
    sagemaker, iam = clients["sagemaker"], clients["iam"]
    examine = Examiner((sagemaker, iam))
    notified = NotifiedEndpoints(
        deployment=deployment,
        sagemaker=sagemaker,
        rights=PermissionSimulator(sagemaker, iam),
        examine=examine,
        asked=asked,
    )
    return _looks(examine, notified.checks())


def _checks_of_records(
    deployment: Deployment,
    dynamodb: Any,
    pool: ThreadPoolExecutor,
    since: datetime,
    now: datetime,
) -> Iterator[Check]:
    table, shards = deployment.setting(Variable.TABLE_NAME), deployment.setting(Variable.SHARDS)
    if table is None or shards is None:
        return
    yield from RecordChecks(
        deployment=deployment,
        table_name=table,
        queries=InferenceQueries(dynamodb, table, int(shards), pool),
        overdue=OverdueQueries(dynamodb, table, int(shards)),
        since=since,
        now=now,
    ).checks()
