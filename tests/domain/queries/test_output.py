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
    """S3 with one object, or the error that it raises."""

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
    return LocateOutput(find=lambda *_: record, objects=FakeVersions(now))("one")


def output(**known):
    return {"location": "s3://bucket/key", "bucket": "bucket", "key": "key", **known}


def test_the_link_is_to_the_recorded_version():
    assert locate(output=output(**PINNED)) == Link("https://bucket/key?v1 for 300 s")


def test_without_versioning_the_object_must_be_the_recorded_one():
    now = version(version_id=None)
    recorded = output(etag='"etag"', size=24)
    assert locate(now, output=recorded) == Link("https://bucket/key?None for 300 s")
    with pytest.raises(ObjectReplaced):
        locate(version('"another"', version_id=None), output=recorded)


def test_the_object_must_have_the_size_of_the_response_in_the_notification():
    """S3 was not called when the result was recorded, so version and ETag are unknown."""
    assert locate(output=output(size=24, inline=None)) == Link("https://bucket/key?v1 for 300 s")
    with pytest.raises(ObjectReplaced):
        locate(version(size=25, version_id="v2"), output=output(size=24))


@pytest.mark.parametrize("known", [{"size": 24}, {}], ids=["in the notification", "unreadable"])
def test_an_object_written_after_an_unread_output_was_recorded_is_another(known):
    late = ObjectVersion('"etag"', 24, "v2", datetime(2026, 1, 25, 12, 1, tzinfo=UTC))
    with pytest.raises(ObjectReplaced):
        locate(late, output=output(**known))


def test_a_deleted_output_is_missing():
    with pytest.raises(ObjectMissing):
        locate(ObjectMissing("NoSuchKey", "gone"), output=output(**PINNED))


def test_an_output_that_never_existed_is_unreadable_but_not_missing():
    with pytest.raises(OutputUnreadable) as raised:
        locate(
            ObjectMissing("NoSuchKey", "not there"),
            output=output(),
            output_error={"code": "NoSuchKey", "message": "not there"},
        )
    assert not isinstance(raised.value, ObjectMissing)


def test_an_output_that_became_readable_is_linked():
    recorded = {"output_error": {"code": "AccessDenied", "message": "denied"}}
    assert isinstance(locate(output=output(), **recorded), Link)


def test_access_denied_by_s3_is_raised():
    with pytest.raises(ObjectDenied):
        locate(ObjectDenied("AccessDenied", "denied"), output=output(**PINNED))


@pytest.mark.parametrize(
    ("encoding", "content", "body"),
    [("utf-8", "é", "é".encode()), ("base64", "/wA=", b"\xff\x00")],
)
def test_an_output_that_only_the_record_has_is_returned(encoding, content, body):
    inline = {"encoding": encoding, "content": content}
    found = locate(output={"inline": inline, "content_type": "text/plain"})
    assert found == Content(body, "text/plain")


def test_a_rejected_location_is_unreadable_with_its_reason():
    error = {"code": "LocationNotAllowed", "message": "outside the prefixes"}
    with pytest.raises(OutputUnreadable, match="LocationNotAllowed"):
        locate(output_error=error)


@pytest.mark.parametrize("status", ["InProgress", "Failed", "Expired", "Lost", "Preempted"])
def test_an_inference_that_is_not_completed_has_no_output(status):
    with pytest.raises(NoOutput) as raised:
        locate(status=status)
    assert raised.value.status == status
