"""What the sweep makes of overdue records, on the real table."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import boto3
import pytest

from inference_results.adapters.table.overdue import OverdueQueries
from inference_results.adapters.table.results import ResultStore
from inference_results.adapters.table.submissions import SubmissionStore
from inference_results.domain.reconciliation.reconcile import ReconcileRecords
from inference_results.domain.record.errors import ObjectDenied, ObjectMissing, Unavailable
from inference_results.domain.record.timestamps import timestamp
from inference_results.domain.results.ports import Disposition, ObjectStart
from inference_results.domain.submissions.register import RegisterInvocation
from tests.fakes import FAILURES, NOW, World
from tests.pools import InlinePool
from tests.samples import PREFIX, body, completed, failed
from tests.submitting import LARGE, Submitters

HERE = {"endpointName": "speech"}
OUTPUT, FAILURE = f"{PREFIX}one.out", f"{FAILURES}one.out"
SUBMITTED_AT = NOW - timedelta(hours=8)
DEADLINE = timestamp(SUBMITTED_AT + timedelta(seconds=21_600 + 900))
WRITTEN_AT = NOW - timedelta(hours=7)


class Objects:
    """Objects by URI, each written at `WRITTEN_AT` unless it says otherwise; or S3's errors."""

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
    """The table, those who write to it, and the sweep."""

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

    def sweep(self, in_time=lambda: True):
        reconcile = ReconcileRecords(
            overdue=self.overdue,
            records=self.records,
            read=self.world.read,
            retention=timedelta(days=90),
            slack=timedelta(minutes=10),
            now=lambda: self.now,
        )
        return Counter(str(each.swept) for each in reconcile(InlinePool(), in_time))

    def item(self, inference_id="one"):
        return self.submitters.table.item(inference_id, "speech")


@pytest.fixture
def table(table_name):
    return Table(table_name)


def test_an_output_that_nobody_announced_is_a_completion(table):
    table.register(
        metadata={"page": "17"},
        input_location="s3://customer-inputs/in",
        content_type="text/plain",
        custom_attributes="tenant=acme",
    )
    table.objects.put(OUTPUT, b"output")
    assert table.sweep() == {"RecoveredCompleted": 1}
    item = table.item()
    assert (item["status"], item["source"]) == ("Completed", "reconciliation")
    assert item["event_time"] == timestamp(WRITTEN_AT)
    assert item["output"]["location"] == OUTPUT
    assert item["output"]["inline"] == b"output"
    assert item["caller_metadata"] == {"page": "17"}
    assert item["input_location"] == "s3://customer-inputs/in"
    assert (item["content_type"], item["custom_attributes"]) == ("text/plain", "tenant=acme")
    assert not item.keys() & {"status_shard", "status_sort", "endpoint_status_shard"}


def test_a_failure_object_that_nobody_announced_is_a_failure(table):
    table.register()
    table.objects.put(FAILURE, b"ClientError: Received server error (500) from model.")
    assert table.sweep() == {"RecoveredFailed": 1}
    item = table.item()
    assert (item["status"], item["source"]) == ("Failed", "reconciliation")
    assert item["failure"]["code"] == "MODEL_ERROR_5XX"
    assert item["failure"]["location"] == FAILURE
    assert item["failure"]["body_preview"].startswith("ClientError")
    assert "reason" not in item["failure"]


def test_without_either_object_it_is_lost_at_its_deadline(table):
    table.register()
    assert table.sweep() == {"Lost": 1}
    item = table.item()
    assert (item["status"], item["source"]) == ("Lost", "reconciliation")
    assert item["event_time"] == item["deadline"] == DEADLINE
    assert item["failure"] == {"code": "LOST", "retryable": True}
    assert "output_error" not in item


def test_what_is_not_overdue_is_left_alone(table):
    table.register()
    table.now = SUBMITTED_AT + timedelta(seconds=21_600 + 900 + 600)
    assert table.sweep() == {}
    table.now += timedelta(milliseconds=1)
    assert table.sweep() == {"Lost": 1}
    assert table.sweep() == {}


def test_an_object_of_an_earlier_invocation_is_not_taken_for_this_ones(table):
    """Callers may choose the name of the output, so two invocations can share a key."""
    table.register()
    table.objects.put(OUTPUT, b"old", SUBMITTED_AT - timedelta(hours=1, seconds=1))
    assert table.sweep() == {"Lost": 1}


def test_an_output_is_this_invocations_if_the_submitters_clock_is_an_hour_ahead(table):
    table.register()
    table.objects.put(OUTPUT, b"new", SUBMITTED_AT - timedelta(hours=1))
    assert table.sweep() == {"RecoveredCompleted": 1}


@pytest.mark.parametrize(
    ("notice", "status"),
    [
        (completed("one", requestParameters=HERE), "Completed"),
        (failed("one", requestParameters=HERE), "Failed"),
        (failed("one", requestParameters=HERE, invocationStatus="Expired"), "Expired"),
    ],
)
@pytest.mark.parametrize("found", [None, OUTPUT, FAILURE])
def test_a_notification_that_comes_after_all_wins(table, notice, status, found):
    table.register()
    if found:
        table.objects.put(found, b"output")
    assert sum(table.sweep().values()) == 1
    # Before the object was written, by S3's clock, which says seconds only.
    event_time = timestamp(WRITTEN_AT - timedelta(milliseconds=300))
    notice = notice | {"eventTime": event_time}
    if status == "Completed":
        notice["responseParameters"]["outputLocation"] = OUTPUT
    assert table.world.settle(body(notice), receive_count=3) is not Disposition.SUPERSEDED
    item = table.item()
    assert (item["status"], item["event_time"]) == (status, event_time)
    assert "source" not in item


def test_a_notification_in_the_middle_of_the_sweep_wins(table):
    table.register()
    before = table.objects.read_start

    def read_start(location, limit):
        table.objects.read_start = before
        event = failed("one", requestParameters=HERE, eventTime=timestamp(WRITTEN_AT))
        table.world.settle(body(event))
        return before(location, limit)

    table.objects.read_start = read_start
    assert table.sweep() == {"ChangedConcurrently": 1}
    assert table.item()["status"] == "Failed"


@pytest.mark.parametrize(
    ("place", "code"),
    [(OUTPUT, "AccessDenied"), ("s3://somebody-elses/one.out", "LocationNotAllowed")],
)
def test_lost_says_so_where_s3_could_not_be_asked(table, place, code):
    """Nothing waits for ever: whether there is an output is not known, and that is told."""
    table.register(output=place)
    table.objects.put(OUTPUT, ObjectDenied("AccessDenied", "S3 refuses to hand out the object"))
    assert table.sweep() == {"Lost": 1}
    assert table.item()["output_error"]["code"] == code


def test_lost_says_so_where_the_bucket_was_deleted(table):
    table.register()
    gone = ObjectMissing("NoSuchBucket", "S3 has no such object")
    table.objects.put(OUTPUT, gone)
    table.objects.put(FAILURE, gone)
    assert table.sweep() == {"Lost": 1}
    assert table.item()["output_error"]["code"] == "NoSuchBucket"


def test_while_s3_is_not_to_be_had_nothing_is_decided(table):
    table.register()
    table.objects.put(OUTPUT, Unavailable("s3", "SlowDown"))
    assert table.sweep() == {"LeftForNextRun": 1}
    assert table.item()["status"] == "InProgress"
    table.objects.put(OUTPUT, b"output")
    assert table.sweep() == {"RecoveredCompleted": 1}


ODD = {
    "nothing": {},
    "no order": {"submission": {"M": {}}},
    "no map": {"submission": {"S": "text"}},
    "no time": {"submitted_at": {"S": "yesterday"}},
    "a number": {"deadline": {"N": "7"}},
    "the first time": {"submitted_at": {"S": "0001-01-01T00:00:00.000Z"}},
    "a location that is none": {
        "submission": {"M": {"order": {"S": "x"}, "output_location": {"N": "1"}}}
    },
}


@pytest.mark.parametrize("change", ODD.values(), ids=ODD)
def test_a_record_that_is_none_of_ours_is_left_alone_and_counted(table, change):
    table.register("odd")
    key = {"inference_id": {"S": "odd"}, "endpoint_name": {"S": "speech"}}
    good = table.client.get_item(TableName=table.name, Key=key)["Item"]
    odd = {name: good[name] for name in (*key, "status", "status_shard")} if not change else good
    table.client.put_item(
        TableName=table.name, Item={**odd, **change, "status_sort": {"S": "2020"}}
    )
    table.register()
    assert table.sweep() == {"MalformedRecords": 1, "Lost": 1}


def test_a_status_of_any_name_is_not_taken_for_an_unread_output(table):
    """The vocabulary is open: what stands in the index beside statuses must be no status."""
    for status in ("Unread", "unread", "unread#0"):
        event = failed(f"id {status}", requestParameters=HERE, invocationStatus=status)
        assert table.world.settle(body(event)) is Disposition.RECORDED
    table.now = NOW + timedelta(days=1)
    assert table.sweep() == {}


# What became of callers that crashed.


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
def test_no_crash_leaves_a_record_in_progress_for_ever(table, step, before, body, code):
    table.submitters.crash(step, body, before=before)
    assert table.sweep() == {"Lost": 1}
    (item,) = table.client.scan(TableName=table.name)["Items"]
    assert item["status"]["S"] == "Lost"
    assert item["failure"]["M"]["code"]["S"] == code


def test_after_a_crash_past_sagemakers_answer_the_output_is_found(table):
    table.submitters.crash("register", b"hello")
    (item,) = table.client.scan(TableName=table.name)["Items"]
    table.objects.put(item["submission"]["M"]["output_location"]["S"], b"output")
    assert table.sweep() == {"RecoveredCompleted": 1}


def test_what_was_lost_before_it_was_invoked_is_continued_by_the_same_key(table):
    table.submitters.crash("put", LARGE)
    table.sweep()
    table.submitters.clock = NOW
    submitted = table.submitters.submit(LARGE)
    assert (submitted.created, submitted.record["status"]) == (True, "InProgress")
    assert not submitted.record.keys() & {"failure", "event_time", "source"}
    assert table.submitters.invoked.total() == 1


def test_what_may_have_been_invoked_is_not_invoked_again_by_the_same_key(table):
    table.submitters.crash("invoke")
    table.sweep()
    table.submitters.clock = NOW
    submitted = table.submitters.submit()
    assert (submitted.created, submitted.record["status"]) == (False, "Lost")
    assert table.submitters.invoked.total() == 1


def test_a_caller_that_the_sweep_overtook_goes_on(table):
    """It hung between the upload and the invocation for longer than the deadline."""

    class SlowInputs:
        def put(self, *_arguments):
            assert table.sweep() == {"Lost": 1}

    slow = replace(table.submitters.use_case(), inputs=SlowInputs())
    submitted = slow({"endpoint": "speech", "idempotency_key": "one"}, LARGE)
    assert (submitted.created, submitted.record["status"]) == (True, "InProgress")
    assert not submitted.record.keys() & {"failure", "event_time", "source"}
    assert table.submitters.invoked.total() == 1


# Outputs that could not be read.


@pytest.fixture
def unread(table):
    """A completion whose output S3 refused, recorded at `NOW`."""
    table.objects.put(OUTPUT, ObjectDenied("AccessDenied", "S3 refuses to hand out the object"))
    event = completed("one", requestParameters=HERE, eventTime=timestamp(NOW))
    event["responseParameters"] |= {"outputLocation": OUTPUT, "contentType": "text/csv"}
    table.world.settle(body(event), receive_count=3)
    table.now = NOW + timedelta(minutes=1)
    return table


def test_an_output_that_has_become_readable_is_filled_in(unread):
    unread.objects.put(OUTPUT, b"output")
    before = unread.item()
    assert unread.sweep() == {"OutputRead": 1}
    item = unread.item()
    assert item["output"]["inline"] == b"output"
    assert item["output"]["content_type"] == "text/csv"
    assert not item.keys() & {"output_error", "status_shard", "status_sort"}
    kept = ("event_time", "event_order", "recorded_at", "status", "expires_at", "endpoint_sort")
    assert [item[name] for name in kept] == [before[name] for name in kept]
    assert unread.sweep() == {}


def test_what_stays_unreadable_is_looked_at_less_and_less_often(unread):
    looks = 0
    for _ in range(15 * 24):
        looks += sum(unread.sweep().values())
        unread.now += timedelta(hours=1)
    assert 3 < looks < 15
    item = unread.item()
    assert item["output_error"]["code"] == "AccessDenied"
    assert "status_shard" not in item


def test_an_event_in_the_middle_of_a_look_wins(unread):
    unread.objects.put(OUTPUT, b"output")
    before = unread.objects.read_start

    def read_start(location, limit):
        unread.objects.read_start = before
        later = timestamp(NOW + timedelta(seconds=1))
        unread.world.settle(body(failed("one", requestParameters=HERE, eventTime=later)))
        return before(location, limit)

    unread.objects.read_start = read_start
    assert unread.sweep() == {"ChangedConcurrently": 1}
    assert unread.item()["status"] == "Failed"


def test_a_location_that_may_not_be_read_is_not_looked_at_again(table):
    event = completed("one", requestParameters=HERE)
    event["responseParameters"]["outputLocation"] = "s3://somebody-elses/x"
    table.world.settle(body(event))
    table.now = NOW + timedelta(days=1)
    assert table.sweep() == {}


# Many of them.


def test_a_sweep_goes_on_where_the_last_one_ran_out_of_time(table):
    many = 200
    for number in range(many):
        table.register(f"id-{number}", f"{PREFIX}{number}.out", f"{FAILURES}{number}.out")
        if number % 10:
            table.objects.put(f"{PREFIX}{number}.out", b"output")
    total = Counter()
    sweeps = 0
    while total.total() < many:
        left = iter(range(70))  # what a call settles before its time is over
        total.update(table.sweep(lambda left=left: next(left, None) is not None))
        sweeps += 1
        assert sweeps < 10
    assert total == {"RecoveredCompleted": many - many // 10, "Lost": many // 10}
    assert sweeps > 2
    assert table.sweep() == {}
