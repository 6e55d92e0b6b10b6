"""Times and results of one inference on the endpoint `here`."""

from datetime import UTC, datetime, timedelta

from tests.support.samples import body, completed, failed

HERE = {"endpointName": "here"}
NOON = datetime(2026, 1, 25, 12, 0, tzinfo=UTC)
AT_NOON = NOON.isoformat()
NOW = NOON + timedelta(hours=3)


def at(**time):
    """A time after noon, in ISO 8601."""
    return (NOON + timedelta(**time)).isoformat()


def completed_at(event_time, key="one.out"):
    return body(completed(key=key, eventTime=event_time, requestParameters=HERE))


def failed_at(event_time, **changes):
    return body(failed(eventTime=event_time, requestParameters=HERE, **changes))
