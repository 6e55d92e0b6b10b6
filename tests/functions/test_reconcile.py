from datetime import UTC, datetime, timedelta

import boto3
import pytest

from inference_results.adapters.table.overdue import OverdueQueries
from inference_results.adapters.table.submissions import SubmissionStore
from inference_results.domain.record.errors import Unavailable
from inference_results.domain.record.timestamps import timestamp
from inference_results.domain.submissions.register import RegisterInvocation
from tests.support.emf import parse_metrics
from tests.support.handlers import BUCKET

LONG_AGO = datetime.now(UTC) - timedelta(days=1)


@pytest.fixture
def handler(load_handler, s3):
    return load_handler("reconcile")


@pytest.fixture
def overdue(table_name):
    """Register two overdue records. Returns a function that reads one."""
    store = SubmissionStore(boto3.client("dynamodb"), table_name, shards=4)
    register = RegisterInvocation(
        registrations=store,
        completes_tasks=True,
        retention=timedelta(days=90),
        now=lambda: LONG_AGO,
    )
    for name in ("found", "lost"):
        fields = {
            "endpoint": "speech",
            "submitted_at": timestamp(LONG_AGO),
            "output_location": f"s3://{BUCKET}/async/{name}.out",
        }
        register(name, fields)
    return lambda name: store.item(name, "speech")


def test_overdue_records_end_and_are_counted(handler, overdue, s3, context, capsys):
    s3.put_object(Bucket=BUCKET, Key="async/found.out", Body=b"output")
    assert handler({}, context) == {"RecoveredCompleted": 1, "Lost": 1}
    assert overdue("found")["status"] == "Completed"
    assert overdue("found")["output"]["inline"] == b"output"
    assert overdue("lost")["status"] == "Lost"
    counts = {
        (each.name, each.dimensions): each.values for each in parse_metrics(capsys.readouterr().out)
    }
    service = ("service", "reconcile")
    assert counts == {
        ("RecoveredCompleted", (service,)): (1,),
        ("Lost", (service,)): (1,),
        ("Results", (("endpoint", "other"), service, ("status", "Completed"))): (1,),
        ("Results", (("endpoint", "other"), service, ("status", "Lost"))): (1,),
    }


def test_records_that_ended_before_the_table_became_unavailable_are_counted(
    handler, overdue, context, capsys, monkeypatch
):
    def unavailable(self, before):
        yield from ()
        raise Unavailable("dynamodb", "ThrottlingException")

    monkeypatch.setattr(OverdueQueries, "unread", unavailable)
    with pytest.raises(Unavailable):
        handler({}, context)
    counts = {each.name: each.values for each in parse_metrics(capsys.readouterr().out)}
    assert counts == {"Lost": (2,), "Results": (2,)}


def test_no_record_is_started_without_enough_time_for_it(handler, overdue, context):
    context.remaining_ms = 24_000
    assert handler({}, context) == {}
    assert overdue("lost")["status"] == "InProgress"
    context.remaining_ms = 60_000
    assert handler({}, context) == {"Lost": 2}
