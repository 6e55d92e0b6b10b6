"""Reconciliation of overdue records and unread outputs, on the real table."""

from collections import Counter
from datetime import timedelta

import boto3
import pytest

from inference_results.adapters.table.overdue import OverdueQueries
from inference_results.adapters.table.results import ResultStore
from inference_results.adapters.table.submissions import SubmissionStore
from inference_results.domain.reconciliation.end_overdue import EndOverdueRecord
from inference_results.domain.reconciliation.read_unread import ReadUnreadOutput
from inference_results.domain.reconciliation.reconcile import ReconcileRecords
from inference_results.domain.record.errors import ObjectDenied, ObjectMissing, Unavailable
from inference_results.domain.record.timestamps import timestamp
from inference_results.domain.results.ports import Disposition, ObjectStart
from inference_results.domain.submissions.register import RegisterInvocation
from tests.support.fakes import FAILURES, NOW, World
from tests.support.pools import InlinePool
from tests.support.samples import PREFIX, body, completed, failed
from tests.support.submitting import LARGE, Submitters

HERE = {"endpointName": "speech"}
OUTPUT, FAILURE = f"{PREFIX}one.out", f"{FAILURES}one.out"
SUBMITTED_AT = NOW - timedelta(hours=8)
DEADLINE = timestamp(SUBMITTED_AT + timedelta(seconds=21_600 + 900))
WRITTEN_AT = NOW - timedelta(hours=7)


class Objects:
    """Objects and errors by URI. Objects are written at `WRITTEN_AT` by default."""

    def __init__(self):
        self.stored = {}

    def put(self, uri, content, written_at=WRITTEN_AT):
        self.stored[uri] = (content, written_at)

    def read_start(self, location, limit):
        content, written_at = self.stored.get(
            location.uri, (ObjectMissing("NoSuchKey", "S3 has no such object"), None)
        )
        if isinstance(content, Exception):
            raise content
        return ObjectStart(
            body=content[:limit], size=len(content), etag='"e"', last_modified=written_at
        )


class Table:
    """The table, its writers and reconciliation."""

    def __init__(self, table_name):
        client = boto3.client("dynamodb")
        self.client, self.name = client, table_name
        self.records = ResultStore(client, table_name, shards=4)
        self.objects = Objects()
        self.world = World(records=self.records, objects=self.objects)
        self.submitters = Submitters(SubmissionStore(client, table_name, shards=4))
        self.submitters.clock = SUBMITTED_AT
        self.now = NOW
        self.overdue = OverdueQueries(client, table_name, shards=4)

    def register(self, inference_id="one", output=OUTPUT, failure=FAILURE, **members):
        register = RegisterInvocation(
            registrations=self.submitters.table,
            completes_tasks=True,
            retention=timedelta(90),
            now=lambda: SUBMITTED_AT,
        )
        return register(
            inference_id,
            {
                "endpoint": "speech",
                "submitted_at": timestamp(SUBMITTED_AT),
                "output_location": output,
                "failure_location": failure,
                **members,
            },
        )

    def reconcile(self, has_time=lambda: True):
        read, now = self.world.read, lambda: self.now
        reconcile_records = ReconcileRecords(
            overdue=self.overdue,
            end_overdue=EndOverdueRecord(
                records=self.records, read=read, retention=timedelta(days=90), now=now
            ),
            read_unread=ReadUnreadOutput(records=self.records, read=read, now=now),
            slack=timedelta(minutes=10),
            now=now,
        )
        return Counter(str(each.outcome) for each in reconcile_records(InlinePool(), has_time))

    def item(self, inference_id="one"):
        return self.submitters.table.item(inference_id, "speech")


@pytest.fixture
def table(table_name):
    return Table(table_name)


def test_an_output_without_a_notification_completes_the_record(table):
    table.register(
        metadata={"page": "17"},
        input_location="s3://customer-inputs/in",
        content_type="text/plain",
        custom_attributes="tenant=acme",
    )
    table.objects.put(OUTPUT, b"output")
    assert table.reconcile() == {"RecoveredCompleted": 1}
    item = table.item()
    assert (item["status"], item["source"]) == ("Completed", "reconciliation")
    assert item["event_time"] == timestamp(WRITTEN_AT)
    assert item["output"]["location"] == OUTPUT
    assert item["output"]["inline"] == b"output"
    assert item["caller_metadata"] == {"page": "17"}
    assert item["input_location"] == "s3://customer-inputs/in"
    assert (item["content_type"], item["custom_attributes"]) == ("text/plain", "tenant=acme")
    assert not item.keys() & {"status_shard", "status_sort", "endpoint_status_shard"}


def test_a_failure_object_without_a_notification_fails_the_record(table):
    table.register()
    table.objects.put(FAILURE, b"ClientError: Received server error (500) from model.")
    assert table.reconcile() == {"RecoveredFailed": 1}
    item = table.item()
    assert (item["status"], item["source"]) == ("Failed", "reconciliation")
    assert item["failure"]["code"] == "MODEL_ERROR_5XX"
    assert item["failure"]["location"] == FAILURE
    assert item["failure"]["body_preview"].startswith("ClientError")
    assert "reason" not in item["failure"]


def test_without_output_and_failure_object_the_record_is_lost_at_its_deadline(table):
    table.register()
    assert table.reconcile() == {"Lost": 1}
    item = table.item()
    assert (item["status"], item["source"]) == ("Lost", "reconciliation")
    assert item["event_time"] == item["deadline"] == DEADLINE
    assert item["failure"] == {"code": "LOST", "retryable": True}
    assert "output_error" not in item


def test_a_record_that_is_not_overdue_does_not_change(table):
    table.register()
    table.now = SUBMITTED_AT + timedelta(seconds=21_600 + 900 + 600)
    assert table.reconcile() == {}
    table.now += timedelta(milliseconds=1)
    assert table.reconcile() == {"Lost": 1}
    assert table.reconcile() == {}


def test_an_output_of_an_earlier_invocation_does_not_complete_the_record(table):
    """Two invocations can share an output key: some callers choose it themselves."""
    table.register()
    table.objects.put(OUTPUT, b"old", SUBMITTED_AT - timedelta(hours=1, seconds=1))
    assert table.reconcile() == {"Lost": 1}


def test_an_output_is_of_this_invocation_if_the_submitters_clock_is_an_hour_ahead(table):
    table.register()
    table.objects.put(OUTPUT, b"new", SUBMITTED_AT - timedelta(hours=1))
    assert table.reconcile() == {"RecoveredCompleted": 1}


@pytest.mark.parametrize(
    ("notification", "status"),
    [
        (completed("one", requestParameters=HERE), "Completed"),
        (failed("one", requestParameters=HERE), "Failed"),
        (failed("one", requestParameters=HERE, invocationStatus="Expired"), "Expired"),
    ],
)
@pytest.mark.parametrize("found", [None, OUTPUT, FAILURE])
def test_a_late_notification_wins(table, notification, status, found):
    table.register()
    if found:
        table.objects.put(found, b"output")
    assert sum(table.reconcile().values()) == 1
    # Before S3's LastModified, which has whole seconds only.
    event_time = timestamp(WRITTEN_AT - timedelta(milliseconds=300))
    notification = notification | {"eventTime": event_time}
    if status == "Completed":
        notification["responseParameters"]["outputLocation"] = OUTPUT
    assert table.world.process(body(notification), receive_count=3) is not Disposition.SUPERSEDED
    item = table.item()
    assert (item["status"], item["event_time"]) == (status, event_time)
    assert "source" not in item


def test_a_concurrent_notification_wins(table):
    table.register()
    read_start_of_object = table.objects.read_start

    def read_start(location, limit):
        table.objects.read_start = read_start_of_object
        notification = failed("one", requestParameters=HERE, eventTime=timestamp(WRITTEN_AT))
        table.world.process(body(notification))
        return read_start_of_object(location, limit)

    table.objects.read_start = read_start
    assert table.reconcile() == {"ChangedConcurrently": 1}
    assert table.item()["status"] == "Failed"


@pytest.mark.parametrize(
    ("location", "code"),
    [(OUTPUT, "AccessDenied"), ("s3://other-bucket/one.out", "LocationNotAllowed")],
)
def test_a_lost_record_says_if_the_output_could_not_be_checked(table, location, code):
    """Nothing waits forever. The record says that the output could not be checked."""
    table.register(output=location)
    table.objects.put(OUTPUT, ObjectDenied("AccessDenied", "S3 did not return the object"))
    assert table.reconcile() == {"Lost": 1}
    assert table.item()["output_error"]["code"] == code


def test_a_lost_record_says_if_the_bucket_is_missing(table):
    table.register()
    missing = ObjectMissing("NoSuchBucket", "S3 has no such object")
    table.objects.put(OUTPUT, missing)
    table.objects.put(FAILURE, missing)
    assert table.reconcile() == {"Lost": 1}
    assert table.item()["output_error"]["code"] == "NoSuchBucket"


def test_a_record_stays_in_progress_while_s3_is_unavailable(table):
    table.register()
    table.objects.put(OUTPUT, Unavailable("s3", "SlowDown"))
    assert table.reconcile() == {"LeftForNextRun": 1}
    assert table.item()["status"] == "InProgress"
    table.objects.put(OUTPUT, b"output")
    assert table.reconcile() == {"RecoveredCompleted": 1}


MALFORMED = {
    "no submission": {},
    "no order": {"submission": {"M": {}}},
    "no map": {"submission": {"S": "text"}},
    "an invalid time": {"submitted_at": {"S": "yesterday"}},
    "a number as deadline": {"deadline": {"N": "7"}},
    "a time that the tolerance underflows": {"submitted_at": {"S": "0001-01-01T00:00:00.000Z"}},
    "a number as location": {
        "submission": {"M": {"order": {"S": "x"}, "output_location": {"N": "1"}}}
    },
}


@pytest.mark.parametrize("change", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_record_is_counted_and_does_not_change(table, change):
    table.register("malformed")
    key = {"inference_id": {"S": "malformed"}, "endpoint_name": {"S": "speech"}}
    valid = table.client.get_item(TableName=table.name, Key=key)["Item"]
    item = valid if change else {name: valid[name] for name in (*key, "status", "status_shard")}
    table.client.put_item(
        TableName=table.name, Item={**item, **change, "status_sort": {"S": "2020"}}
    )
    table.register()
    assert table.reconcile() == {"MalformedRecords": 1, "Lost": 1}


def test_no_status_is_taken_for_an_unread_output(table):
    """Statuses are open: the index key of unread outputs must differ from that of any status."""
    for status in ("Unread", "unread", "unread#0"):
        notification = failed(f"id {status}", requestParameters=HERE, invocationStatus=status)
        assert table.world.process(body(notification)) is Disposition.RECORDED
    table.now = NOW + timedelta(days=1)
    assert table.reconcile() == {}


# Callers that crashed


@pytest.mark.parametrize(
    ("step", "before", "body", "code"),
    [
        ("create", False, b"hello", "LOST"),
        ("create", False, LARGE, "NOT_INVOKED"),
        ("put", False, LARGE, "NOT_INVOKED"),
        ("claim", False, LARGE, "LOST"),
        ("invoke", False, b"hello", "LOST"),
    ],
)
def test_no_crash_leaves_a_record_in_progress_forever(table, step, before, body, code):
    table.submitters.crash(step, body, before=before)
    assert table.reconcile() == {"Lost": 1}
    (item,) = table.client.scan(TableName=table.name)["Items"]
    assert item["status"]["S"] == "Lost"
    assert item["failure"]["M"]["code"]["S"] == code


def test_the_output_is_found_after_a_crash_once_sagemakers_response_is_recorded(table):
    table.submitters.crash("register", b"hello")
    (item,) = table.client.scan(TableName=table.name)["Items"]
    table.objects.put(item["submission"]["M"]["output_location"]["S"], b"output")
    assert table.reconcile() == {"RecoveredCompleted": 1}


def test_a_record_lost_before_its_invocation_continues_with_the_same_key(table):
    table.submitters.crash("put", LARGE)
    table.reconcile()
    table.submitters.clock = NOW
    submitted = table.submitters.submit(LARGE)
    assert (submitted.created, submitted.record["status"]) == (True, "InProgress")
    assert not submitted.record.keys() & {"failure", "event_time", "source"}
    assert table.submitters.invocation_counts.total() == 1


def test_a_record_lost_after_a_possible_invocation_is_not_invoked_again(table):
    table.submitters.crash("invoke")
    table.reconcile()
    table.submitters.clock = NOW
    submitted = table.submitters.submit()
    assert (submitted.created, submitted.record["status"]) == (False, "Lost")
    assert table.submitters.invocation_counts.total() == 1


def test_a_caller_continues_after_reconciliation_has_ended_its_record(table):
    """It hung between upload and invocation until after the deadline."""

    class SlowInputs:
        def put(self, *_arguments):
            assert table.reconcile() == {"Lost": 1}

    slow = table.submitters.use_case(inputs=SlowInputs())
    submitted = slow({"endpoint": "speech", "idempotency_key": "one"}, LARGE)
    assert (submitted.created, submitted.record["status"]) == (True, "InProgress")
    assert not submitted.record.keys() & {"failure", "event_time", "source"}
    assert table.submitters.invocation_counts.total() == 1


# Unread outputs


@pytest.fixture
def unread(table):
    """A completion whose output S3 denied, recorded at `NOW`."""
    table.objects.put(OUTPUT, ObjectDenied("AccessDenied", "S3 did not return the object"))
    notification = completed("one", requestParameters=HERE, eventTime=timestamp(NOW))
    notification["responseParameters"] |= {"outputLocation": OUTPUT, "contentType": "text/csv"}
    table.world.process(body(notification), receive_count=3)
    table.now = NOW + timedelta(minutes=1)
    return table


def test_an_output_that_has_become_readable_is_added(unread):
    unread.objects.put(OUTPUT, b"output")
    before = unread.item()
    assert unread.reconcile() == {"OutputRead": 1}
    item = unread.item()
    assert item["output"]["inline"] == b"output"
    assert item["output"]["content_type"] == "text/csv"
    assert not item.keys() & {"output_error", "status_shard", "status_sort"}
    kept = ("event_time", "event_order", "recorded_at", "status", "expires_at", "endpoint_sort")
    assert [item[name] for name in kept] == [before[name] for name in kept]
    assert unread.reconcile() == {}


def test_an_unreadable_output_is_read_less_and_less_often(unread):
    reads = 0
    for _ in range(15 * 12):
        reads += sum(unread.reconcile().values())
        unread.now += timedelta(hours=2)
    assert 3 < reads < 15
    item = unread.item()
    assert item["output_error"]["code"] == "AccessDenied"
    assert "status_shard" not in item


def test_a_notification_during_a_read_wins(unread):
    unread.objects.put(OUTPUT, b"output")
    read_start_of_object = unread.objects.read_start

    def read_start(location, limit):
        unread.objects.read_start = read_start_of_object
        later = timestamp(NOW + timedelta(seconds=1))
        unread.world.process(body(failed("one", requestParameters=HERE, eventTime=later)))
        return read_start_of_object(location, limit)

    unread.objects.read_start = read_start
    assert unread.reconcile() == {"ChangedConcurrently": 1}
    assert unread.item()["status"] == "Failed"


def test_a_location_outside_the_prefixes_is_not_read_again(table):
    notification = completed("one", requestParameters=HERE)
    notification["responseParameters"]["outputLocation"] = "s3://other-bucket/x"
    table.world.process(body(notification))
    table.now = NOW + timedelta(days=1)
    assert table.reconcile() == {}


# Many records


def test_a_run_continues_where_the_last_one_ran_out_of_time(table):
    many = 120
    for number in range(many):
        table.register(f"id-{number}", f"{PREFIX}{number}.out", f"{FAILURES}{number}.out")
        if number % 10:
            table.objects.put(f"{PREFIX}{number}.out", b"output")
    total = Counter()
    runs = 0
    while total.total() < many:
        remaining = iter(range(45))  # how often a run has time
        total.update(table.reconcile(lambda remaining=remaining: next(remaining, None) is not None))
        runs += 1
        assert runs < 10
    assert total == {"RecoveredCompleted": many - many // 10, "Lost": many // 10}
    assert runs > 2
    assert table.reconcile() == {}
