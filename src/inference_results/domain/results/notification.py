"""SageMaker's notification: the JSON that it publishes for each finished invocation.

Every shape here was seen from AWS or is documented; whether a field may be missing follows what was
seen, not what is documented. A message that cannot be recorded raises Unprocessable, which names
the field and what was expected, never the value. An odd field that a record can do without is
ignored, and named in the record.
"""

import base64
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar

from inference_results.contract import Status
from inference_results.domain.record.errors import Reason, Unprocessable
from inference_results.domain.record.timestamps import parse_timestamp

NO_ENDPOINT: Final = "-"
"""Stands for the endpoint of an event that names none (an inference router's, perhaps)."""

_T = TypeVar("_T")
_MAX_TEXT = 2048
_INFERENCE_ID = re.compile(r"[\x20-\x7e]{1,64}")
_STATUSES = {status.lower(): status.value for status in Status}


class TestNotification:
    """Sent when an endpoint is created or updated, so at every scaling action. Means nothing."""

    __test__ = False  # pytest would collect the class by its name


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultNotification:
    """One `InferenceResult` event. Timestamps are in stored form; locations are as received."""

    inference_id: str
    endpoint_name: str
    status: str
    event_time: str
    received_at: str | None
    input_location: str | None
    content_type: str | None
    custom_attributes: str | None
    output_location: str | None
    output_content_type: str | None
    failure_location: str | None
    failure_reason: str | None
    response_body: bytes | None
    ignored_fields: tuple[str, ...]
    """Fields that a record can do without, and that were not of the expected form."""
    digest: str
    """Of the whole event, whatever the order of its fields: settles ties between events."""


def parse_notification(body: str) -> ResultNotification | TestNotification:
    """Read the body of a queue message: SageMaker's JSON, or SNS's envelope around it."""
    event = _json_object(body, "body")
    if _is_envelope(event):
        event = _json_object(_text(event, "Message", "", None) or "", "Message")
    match event.get("eventName"):
        case "TestNotification":
            return TestNotification()
        case "InferenceResult":
            return _inference_result(event)
    raise Unprocessable(Reason.UNKNOWN_EVENT, "eventName", "InferenceResult or TestNotification")


def unwrap_envelope(body: str) -> str:
    """What SageMaker published: the message in SNS's envelope, or the body itself."""
    try:
        event = _json_object(body, "body")
    except Unprocessable:
        return body
    message = event["Message"] if _is_envelope(event) else body
    return message if isinstance(message, str) else body


def _is_envelope(event: dict[str, Any]) -> bool:
    return event.get("Type") == "Notification" and "Message" in event


def _inference_result(event: dict[str, Any]) -> ResultNotification:
    ignored: list[str] = []
    optional = partial(_or_ignored, ignored)
    request = _object(event, "requestParameters")
    response = optional(_object, event, "responseParameters") or {}
    in_request, in_response = "requestParameters.", "responseParameters."
    return ResultNotification(
        inference_id=_inference_id(event),
        endpoint_name=_endpoint_name(request, in_request),
        status=_status(event),
        event_time=_required(_time(event, "eventTime"), "eventTime"),
        received_at=optional(_time, event, "receivedTime"),
        input_location=optional(_text, request, "inputLocation", in_request),
        content_type=optional(_text, request, "contentType", in_request),
        custom_attributes=optional(_text, request, "customAttributes", in_request),
        output_location=optional(_text, response, "outputLocation", in_response),
        output_content_type=optional(_text, response, "contentType", in_response),
        failure_location=optional(_text, response, "failureLocation", in_response)
        or optional(_text, event, "failureLocation"),
        failure_reason=optional(_text, event, "failureReason", "", None),
        response_body=_response_body(event),
        ignored_fields=tuple(ignored),
        digest=_digest(event),
    )


def _or_ignored(ignored: list[str], read: Callable[..., _T], *arguments: Any) -> _T | None:
    """What `read` finds in a field; None, with a note, where the form is not as expected.

    For fields that a record can do without: a status is not withheld because one of them is odd.
    """
    try:
        return read(*arguments)
    except Unprocessable as why:
        ignored.append(why.field)
        return None


def _json_object(text: str, name: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    # RecursionError: nesting beyond what the decoder follows. ValueError: also endless numbers.
    except (ValueError, RecursionError) as error:
        raise Unprocessable(Reason.NOT_JSON, name, "JSON") from error
    if not isinstance(value, dict):
        raise Unprocessable(Reason.NOT_JSON, name, "a JSON object")
    return value


def _object(fields: dict[str, Any], name: str) -> dict[str, Any]:
    value = fields.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Unprocessable(Reason.INVALID_FIELD, name, "an object")
    return value


def _text(
    fields: dict[str, Any], name: str, path: str = "", limit: int | None = _MAX_TEXT
) -> str | None:
    """The text at a field; None if the field is missing, null or empty."""
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise Unprocessable(Reason.INVALID_FIELD, path + name, "a string")
    if limit is not None and len(value) > limit:
        raise Unprocessable(Reason.INVALID_FIELD, path + name, f"at most {limit} characters")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise Unprocessable(Reason.INVALID_FIELD, path + name, "valid Unicode") from error
    return value or None


def _required(value: str | None, name: str) -> str:
    if value is None:
        raise Unprocessable(Reason.MISSING_FIELD, name, "a value")
    return value


def _inference_id(event: dict[str, Any]) -> str:
    inference_id = _required(_text(event, "inferenceId"), "inferenceId")
    if not _INFERENCE_ID.fullmatch(inference_id):
        raise Unprocessable(
            Reason.INVALID_FIELD, "inferenceId", "1 to 64 printable ASCII characters"
        )
    return inference_id


def _endpoint_name(request: dict[str, Any], path: str) -> str:
    """It is in sort keys of indexes, which hold 1024 bytes."""
    name = _text(request, "endpointName", path, 256) or NO_ENDPOINT
    if not (name.isascii() and name.isprintable()):
        raise Unprocessable(
            Reason.INVALID_FIELD, f"{path}endpointName", "printable ASCII characters"
        )
    return name


def _status(event: dict[str, Any]) -> str:
    name = "invocationStatus"
    status = _required(_text(event, name, "", 64), name)
    status = _STATUSES.get(status.lower(), status)
    if status == Status.IN_PROGRESS:
        raise Unprocessable(Reason.INVALID_FIELD, name, "the status of an inference that has ended")
    return status


def _time(event: dict[str, Any], name: str) -> str | None:
    text = _text(event, name, "", 64)
    if text is None:
        return None
    try:
        return parse_timestamp(text)
    except ValueError as error:
        raise Unprocessable(
            Reason.INVALID_FIELD, name, "an ISO-8601 timestamp with an offset"
        ) from error


def _digest(event: dict[str, Any]) -> str:
    try:
        canonical = json.dumps(event, sort_keys=True)
    except RecursionError as error:
        raise Unprocessable(Reason.NOT_JSON, "body", "less nesting") from error
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def _response_body(event: dict[str, Any]) -> bytes | None:
    """The response inside the notification.

    None for whatever cannot be used: it is a convenience, S3 holds the response too.
    """
    body = event.get("responseBody")
    content = body.get("content") if isinstance(body, dict) else None
    if not isinstance(body, dict) or not isinstance(content, str) or not content:
        return None
    try:
        match body.get("encoding"):
            case None:
                return content.encode()
            case str(encoding) if encoding.upper() == "BASE64":
                return base64.b64decode(content, validate=True)
    except ValueError:
        return None
    return None
