"""Registrations and results of one inference, in different orders."""

from datetime import timedelta

import boto3
import pytest

from inference_results.adapters.table.registrations import RegistrationStore
from inference_results.domain.record.errors import InvalidParameter
from inference_results.domain.record.timestamps import timestamp
from inference_results.domain.results.ports import Disposition
from inference_results.domain.submissions.register import RegisterInvocation
from tests.adapters.table.one_inference import NOW, at, completed_at, failed_at
from tests.support.samples import PREFIX


def test_a_registration_before_the_result_is_in_progress(register):
    record = register(
        failure_location="s3://customer-outputs/failures/one.out",
        input_location="s3://customer-inputs/in",
        content_type="text/plain",
        custom_attributes="tenant=acme",
        metadata={"page": "17"},
        request_ttl_seconds=60,
        invocation_timeout_seconds=10,
    )
    assert record == {
        "inference_id": "inference-1",
        "endpoint_name": "here",
        "status": "InProgress",
        "submitted_at": "2026-01-25T12:00:00.000Z",
        "deadline": "2026-01-25T12:01:10.000Z",
        "recorded_at": "2026-01-25T15:00:00.000Z",
        "expires_at": "2026-04-25T15:00:00.000Z",
        "input_location": "s3://customer-inputs/in",
        "content_type": "text/plain",
        "custom_attributes": "tenant=acme",
        "caller_metadata": {"page": "17"},
        "submission": {
            "output_location": "s3://customer-outputs/async/one.out",
            "failure_location": "s3://customer-outputs/failures/one.out",
        },
    }


def test_the_time_can_be_a_date_header(register):
    record = register("Sun, 25 Jan 2026 12:00:00 GMT")
    assert record["submitted_at"] == "2026-01-25T12:00:00.000Z"


def test_the_same_registration_again_changes_nothing(register):
    assert register(metadata={"a": "b"}) == register(metadata={"a": "b"})


def test_a_result_ends_a_registered_inference_and_keeps_the_submission(register, world):
    register(metadata={"page": "17"}, failure_location="s3://customer-outputs/failures/x")
    assert world.process(completed_at(at(minutes=1))) is Disposition.RECORDED
    record = register(metadata={"page": "17"}, failure_location="s3://customer-outputs/failures/x")
    assert record["status"] == "Completed"
    assert record["caller_metadata"] == {"page": "17"}
    assert record["submitted_at"] == "2026-01-25T12:00:00.000Z"


@pytest.mark.parametrize("event_time", [at(minutes=1), at(seconds=-1), at(hours=-3)])
def test_a_registration_after_its_result_does_not_regress_it(register, world, event_time):
    """Even if the submitter's clock is hours ahead: both name the same output location."""
    world.process(completed_at(event_time))
    record = register(metadata={"page": "17"})
    assert (record["status"], record["caller_metadata"]) == ("Completed", {"page": "17"})
    assert record["submission"] == {"output_location": PREFIX + "one.out"}


def test_a_failure_without_a_location_is_not_regressed_by_a_clock_that_is_ahead(register, world):
    world.process(failed_at(at(minutes=-59)))
    assert register()["status"] == "Failed"


def test_a_failure_without_a_location_over_an_hour_before_is_of_an_earlier_invocation(
    register, world
):
    world.process(failed_at(at(minutes=-61)))
    record = register()
    assert record["status"] == "InProgress"
    assert not record.keys() & {"failure", "event_time", "output"}


def test_a_failure_at_the_registered_location_is_of_this_invocation(register, world):
    location = "s3://customer-outputs/failures/x"
    world.process(failed_at(at(hours=-3), failureLocation=location))
    assert register(failure_location=location)["status"] == "Failed"


FAILURE = "s3://customer-outputs/failures/x"
OTHER_BUCKET = "s3://other-bucket/x"


@pytest.mark.parametrize(
    ("notified", "registered"),
    [
        (FAILURE, None),
        (FAILURE, FAILURE),
        (None, FAILURE),
        (None, OTHER_BUCKET),
        (OTHER_BUCKET, OTHER_BUCKET),
        (OTHER_BUCKET, None),
    ],
)
@pytest.mark.parametrize("registered_first", [True, False])
@pytest.mark.parametrize("ahead", [{"seconds": 5}, {"hours": 1}])
def test_a_failure_is_of_this_invocation_if_the_submitters_clock_is_an_hour_ahead(
    register, world, notified, registered, registered_first, ahead
):
    """For any failure location, in the notification, the registration or both."""
    notification = failed_at(at(), **({"failureLocation": notified} if notified else {}))
    members = {"failure_location": registered} if registered else {}
    steps = [
        lambda: register(at(**ahead), **members),
        lambda: world.process(notification, receive_count=3),
    ]
    for step in steps if registered_first else reversed(steps):
        step()
    assert register(at(**ahead), **members)["status"] == "Failed"


@pytest.mark.parametrize("notification", [completed_at, failed_at])
@pytest.mark.parametrize("registered_first", [True, False])
def test_no_result_is_lost_if_the_submitters_clock_is_an_hour_behind(
    register, world, notification, registered_first
):
    steps = [lambda: register(at(hours=-1)), lambda: world.process(notification(at()))]
    for step in steps if registered_first else reversed(steps):
        step()
    assert register(at(hours=-1))["status"] in ("Completed", "Failed")


def test_a_registration_from_a_clock_over_an_hour_ahead_is_rejected(register):
    register(timestamp(NOW + timedelta(hours=1)))
    with pytest.raises(InvalidParameter, match="submitted_at"):
        register(timestamp(NOW + timedelta(hours=1, seconds=1)))


def test_a_reused_id_with_another_output_location_starts_a_new_invocation(register, world):
    register()
    world.process(completed_at(at(minutes=1)))
    record = register(at(minutes=2), key="two.out")
    assert (record["status"], record["submitted_at"]) == ("InProgress", "2026-01-25T12:02:00.000Z")
    assert not record.keys() & {"output", "event_time", "received_at"}


def test_a_late_duplicate_of_the_earlier_invocation_does_not_end_the_new_one(register, world):
    register()
    world.process(completed_at(at(minutes=1)))
    register(at(minutes=2), key="two.out")
    assert world.process(completed_at(at(minutes=1))) is Disposition.SUPERSEDED
    assert register(at(minutes=2), key="two.out")["status"] == "InProgress"
    assert world.process(completed_at(at(minutes=3), key="two.out")) is Disposition.RECORDED
    assert register(at(minutes=2), key="two.out")["status"] == "Completed"


def test_a_late_failure_of_the_earlier_invocation_does_not_end_the_new_one(register, world):
    """It names no location, and does not get the one of the new invocation."""
    location = "s3://customer-outputs/failures/two"
    register(at(hours=2), key="two.out", failure_location=location)
    assert world.process(failed_at(at())) is Disposition.SUPERSEDED
    assert register(at(hours=2), key="two.out", failure_location=location)["status"] == "InProgress"


def test_a_late_registration_of_an_earlier_invocation_changes_nothing(register, world):
    register(at(minutes=2), key="two.out", metadata={"which": "second"})
    record = register(at(), key="one.out", metadata={"which": "first"})
    assert record["caller_metadata"] == {"which": "second"}
    assert record["submission"] == {"output_location": PREFIX + "two.out"}


def test_the_result_of_a_newer_invocation_than_the_registered_one_is_recorded(register, world):
    register()
    assert world.process(completed_at(at(minutes=9), key="two.out")) is Disposition.RECORDED


def test_a_completion_ends_an_inference_registered_with_a_clock_hours_ahead(register, world):
    register(at(hours=3))
    assert world.process(completed_at(at())) is Disposition.RECORDED


def test_registered_inferences_are_listed_by_their_deadline(register, table_name):
    for name in ("one", "two", "three"):
        register(inference_id=name, key=f"{name}.out")
    client = boto3.client("dynamodb")
    found = [
        item["inference_id"]["S"]
        for shard in range(4)
        for item in client.query(
            TableName=table_name,
            IndexName="by-status",
            KeyConditionExpression="status_shard = :key AND status_sort < :later",
            ExpressionAttributeValues={
                ":key": {"S": f"{shard}#InProgress"},
                ":later": {"S": "2026-01-25T18:15:00.001Z"},
            },
        )["Items"]
    ]
    assert sorted(found) == ["one", "three", "two"]


@pytest.mark.parametrize(
    ("members", "parameter"),
    [
        ({"submitted_at": "yesterday"}, "submitted_at"),
        ({"submitted_at": 7}, "submitted_at"),
        ({"submitted_at": "Sun, 25 Jan 2026 12:00:00"}, "submitted_at"),
        ({"submitted_at": "Sun, 25 Jan 99999 12:00:00 GMT"}, "submitted_at"),
        ({"submitted_at": "Sun, 25 Jan 99999999999 12:00:00 GMT"}, "submitted_at"),
        ({"submitted_at": "Fri, 31 Dec 9999 23:59:59 -0100"}, "submitted_at"),
        ({"submitted_at": "2026-01-25T12:00:00Z" + " " * 50}, "submitted_at"),
        ({"endpoint": "\N{GRINNING FACE}" * 256}, "endpoint"),
        ({"metadata": {"": "x"}}, "metadata"),
        ({"output_location": "s3://bucket/" + "x" * 2048}, "output_location"),
        ({"x" * 3_000_000: 1}, "x" * 64),
        ({"submitted_at": "2016-12-31T23:59:59Z"}, "submitted_at"),
        ({"submitted_at": at(hours=4, seconds=1)}, "submitted_at"),
        ({"submitted_at": "2026-01-25T12:00:00"}, "submitted_at"),
        ({"output_location": "s3://no-key/"}, "output_location"),
        ({"output_location": None}, "output_location"),
        ({"failure_location": "/tmp/x"}, "failure_location"),
        ({"endpoint": ""}, "endpoint"),
        ({"metadata": ["a"]}, "metadata"),
        ({"metadata": {"a": "\ud800"}}, "metadata"),
        ({"invocation_timeout_seconds": 3601}, "invocation_timeout_seconds"),
        ({"invocation_timeout_seconds": True}, "invocation_timeout_seconds"),
        ({"status": "Completed"}, "status"),
    ],
)
def test_a_malformed_registration_names_the_parameter(register, members, parameter):
    with pytest.raises(InvalidParameter, match=f"^{parameter}: expected"):
        register(**members)


@pytest.mark.parametrize("missing", ["endpoint", "submitted_at", "output_location"])
def test_a_missing_parameter_is_named(table_name, missing):
    members = {"endpoint": "here", "submitted_at": at(), "output_location": PREFIX + "one.out"}
    table = RegistrationStore(boto3.client("dynamodb"), table_name, shards=4)
    use_case = RegisterInvocation(
        registrations=table, completes_tasks=True, retention=timedelta(1), now=lambda: NOW
    )
    del members[missing]
    with pytest.raises(InvalidParameter, match=f"^{missing}: expected a value"):
        use_case("one", members)


@pytest.mark.parametrize("inference_id", ["", "x" * 65, "é", "a\tb"])
def test_an_invalid_id_is_rejected(register, inference_id):
    with pytest.raises(InvalidParameter, match="^inference_id: expected"):
        register(inference_id=inference_id)
