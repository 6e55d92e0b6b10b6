from datetime import UTC, datetime

import pytest

from inference_results.domain.queries.output import Content, Link, LocateOutput, ObjectVersion
from inference_results.domain.record.errors import (
    NoOutput,
    ObjectDenied,
    ObjectMissing,
    ObjectReplaced,
    OutputUnreadable,
)


class FakeVersions:
    """What S3 says now of the only object, or raises."""

    def __init__(self, now):
        self.now = now

    def look_up(self, location, version_id):
        if isinstance(self.now, Exception):
            raise self.now
        return self.now

    def link(self, location, version_id, seconds):
        return f"https://{location.bucket}/{location.key}?{version_id} for {seconds} s"


RECORDED_AT = "2026-01-25T12:00:00.000Z"


def version(etag='"etag"', size=24, version_id="v1", minute=59):
    return ObjectVersion(etag, size, version_id, datetime(2026, 1, 25, 11, minute, tzinfo=UTC))


NOW = version()
PINNED = {"version_id": "v1", "etag": '"etag"', "size": 24}


def locate(now=NOW, status="Completed", **record):
    record = {"inference_id": "one", "status": status, "recorded_at": RECORDED_AT, **record}
    return LocateOutput(find=lambda *asked: record, objects=FakeVersions(now))("one")


def output(**known):
    return {"location": "s3://bucket/key", "bucket": "bucket", "key": "key", **known}


def test_the_link_leads_to_the_recorded_version():
    assert locate(output=output(**PINNED)) == Link("https://bucket/key?v1 for 300 s")


def test_without_versions_the_object_must_be_the_one_that_was_recorded():
    now = version(version_id=None)
    recorded = output(etag='"etag"', size=24)
    assert locate(now, output=recorded) == Link("https://bucket/key?None for 300 s")
    with pytest.raises(ObjectReplaced):
        locate(version('"another"', version_id=None), output=recorded)


def test_a_response_from_inside_the_notification_must_have_the_size_of_the_object():
    """S3 was not asked then, so neither version nor ETag is known."""
    assert locate(output=output(size=24, inline=None)) == Link("https://bucket/key?v1 for 300 s")
    with pytest.raises(ObjectReplaced):
        locate(version(size=25, version_id="v2"), output=output(size=24))


@pytest.mark.parametrize("known", [{"size": 24}, {}], ids=["in the notification", "unreadable"])
def test_an_object_that_was_written_after_an_unread_one_was_recorded_is_another(known):
    late = ObjectVersion('"etag"', 24, "v2", datetime(2026, 1, 25, 12, 1, tzinfo=UTC))
    with pytest.raises(ObjectReplaced):
        locate(late, output=output(**known))


def test_an_output_that_is_gone_is_missing():
    with pytest.raises(ObjectMissing):
        locate(ObjectMissing("NoSuchKey", "gone"), output=output(**PINNED))


def test_an_output_that_was_never_there_is_unavailable_rather_than_removed():
    with pytest.raises(OutputUnreadable) as why:
        locate(
            ObjectMissing("NoSuchKey", "not there"),
            output=output(),
            output_error={"code": "NoSuchKey", "message": "not there"},
        )
    assert not isinstance(why.value, ObjectMissing)


def test_an_output_that_can_be_read_by_now_is_linked_to():
    recorded = {"output_error": {"code": "AccessDenied", "message": "refused"}}
    assert isinstance(locate(output=output(), **recorded), Link)


def test_a_refusal_of_s3_is_passed_on():
    with pytest.raises(ObjectDenied):
        locate(ObjectDenied("AccessDenied", "refused"), output=output(**PINNED))


@pytest.mark.parametrize(
    ("encoding", "content", "body"),
    [("utf-8", "é", "é".encode()), ("base64", "/wA=", b"\xff\x00")],
)
def test_an_output_that_is_only_in_the_record_is_handed_out(encoding, content, body):
    inline = {"encoding": encoding, "content": content}
    found = locate(output={"inline": inline, "content_type": "text/plain"})
    assert found == Content(body, "text/plain")


def test_a_refused_location_has_no_output_and_says_why():
    error = {"code": "LocationNotAllowed", "message": "outside the prefixes"}
    with pytest.raises(OutputUnreadable, match="LocationNotAllowed"):
        locate(output_error=error)


@pytest.mark.parametrize("status", ["InProgress", "Failed", "Expired", "Lost", "Preempted"])
def test_what_is_not_completed_has_no_output(status):
    with pytest.raises(NoOutput) as why:
        locate(status=status)
    assert why.value.status == status
