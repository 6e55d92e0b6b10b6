"""Run all checks of a deployment, and collect their findings."""

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
from inference_results.operations.doctor.endpoints import EndpointChecks
from inference_results.operations.doctor.event_bus import EventBusChecks
from inference_results.operations.doctor.finding import Check, CheckRunner, Finding
from inference_results.operations.doctor.functions import FunctionChecks
from inference_results.operations.doctor.keys import KeyChecks
from inference_results.operations.doctor.queues import QueueChecks
from inference_results.operations.doctor.records import RecordChecks
from inference_results.operations.doctor.schedules import ScheduleChecks
from inference_results.operations.doctor.stack_state import stack_findings
from inference_results.operations.doctor.tables import TableChecks
from inference_results.operations.doctor.topics import TopicChecks
from inference_results.operations.endpoints.permissions import PermissionSimulator

RunnableCheck = Callable[[], Iterator[Finding]]

_CONCURRENCY: Final = 8
_SERVICES: Final = (
    *("dynamodb", "events", "iam", "kms", "lambda"),
    *("sagemaker", "scheduler", "sns", "sqs"),
)
_CONFIG: Final = Config(
    connect_timeout=5,
    read_timeout=20,
    retries={"mode": "standard", "total_max_attempts": 5},
    max_pool_connections=2 * _CONCURRENCY,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorReport:
    """The findings in the order of the checks, and the number of checks."""

    findings: tuple[Finding, ...]
    check_count: int

    @classmethod
    def create(
        cls,
        session: boto3.Session,
        stack_name: str,
        *,
        endpoints: tuple[str, ...],
        since: datetime,
        now: datetime,
    ) -> Self:
        """Check a stack, the `endpoints` that must be attached, and records Lost since `since`.

        Raises InvalidRequest, NotAuthorized, ServiceUnavailable or UnexpectedResponse if the stack
        cannot be read.
        """
        client = partial(session.client, config=_CONFIG)
        deployment = Deployment.read(client("cloudformation"), stack_name)
        clients = {name: client(name) for name in _SERVICES}
        with (
            ThreadPoolExecutor(_CONCURRENCY) as query_pool,
            ThreadPoolExecutor(_CONCURRENCY) as check_pool,
        ):
            records = _record_checks(deployment, clients["dynamodb"], query_pool, since, now)
            checks = [
                *_runnable(CheckRunner(()), [_stack_check(deployment)]),
                *_resource_checks(deployment, clients),
                *_endpoint_checks(deployment, clients, endpoints),
                *_runnable(CheckRunner((clients["dynamodb"],)), records),
            ]
            findings = check_pool.map(lambda check: list(check()), checks)
            return cls(findings=deduplicate(chain.from_iterable(findings)), check_count=len(checks))


def deduplicate(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Keep the first of equal findings: several checks of a resource can fail for one reason."""
    unique: dict[tuple[str, ...], Finding] = {}
    for each in findings:
        unique.setdefault((each.symptom, each.resource, each.problem), each)
    return tuple(unique.values())


def _runnable(run_check: CheckRunner, checks: Iterable[Check]) -> Iterator[RunnableCheck]:
    return (partial(run_check, check) for check in checks)


def _stack_check(deployment: Deployment) -> Check:
    stack = deployment.stack
    return Check(resource=stack.name, run=partial(stack_findings, stack))


def _resource_checks(deployment: Deployment, clients: Mapping[str, Any]) -> Iterator[RunnableCheck]:
    sns, sqs, lambda_, dynamodb, scheduler, events, kms = (
        clients[each] for each in ("sns", "sqs", "lambda", "dynamodb", "scheduler", "events", "kms")
    )
    topics = TopicChecks(deployment=deployment, sns=sns)
    queues = QueueChecks(deployment=deployment, sqs=sqs)
    functions = FunctionChecks(deployment=deployment, lambda_=lambda_, sqs=sqs, dynamodb=dynamodb)
    tables = TableChecks(deployment=deployment, dynamodb=dynamodb)
    schedules = ScheduleChecks(deployment=deployment, scheduler=scheduler)
    keys = KeyChecks(deployment=deployment, kms=kms)
    event_bus = EventBusChecks(deployment=deployment, events=events)
    yield from _runnable(CheckRunner((sns,)), topics.checks())
    yield from _runnable(CheckRunner((sqs,)), queues.checks())
    yield from _runnable(CheckRunner((lambda_, sqs, dynamodb)), functions.checks())
    yield from _runnable(CheckRunner((dynamodb,)), tables.checks())
    yield from _runnable(CheckRunner((scheduler,)), schedules.checks())
    yield from _runnable(CheckRunner((kms,)), keys.checks())
    yield from _runnable(CheckRunner((events,)), event_bus.checks())


def _endpoint_checks(
    deployment: Deployment, clients: Mapping[str, Any], required: tuple[str, ...]
) -> Iterator[RunnableCheck]:
    sagemaker, iam = clients["sagemaker"], clients["iam"]
    run_check = CheckRunner((sagemaker, iam))
    endpoints = EndpointChecks(
        deployment=deployment,
        sagemaker=sagemaker,
        permissions=PermissionSimulator(sagemaker, iam),
        run_check=run_check,
        required=required,
    )
    return _runnable(run_check, endpoints.checks())


def _record_checks(
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
