"""Parse SageMaker's notifications: the JSON that it publishes when an inference ends.

Every shape here was seen from AWS or is documented. Which fields are optional follows what AWS
sends, not what it documents. An invalid field that a record needs makes the message unprocessable;
any other invalid field is ignored, and the record lists it.

See docs/decisions/0002-parsing-without-a-model-library.md.
"""

import base64
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from inference_results.contract import Status
from inference_results.domain.record.errors import Reason, Unprocessable
from inference_results.domain.record.result import NO_ENDPOINT
from inference_results.domain.record.timestamps import parse_timestamp

_T = TypeVar("_T")
_MAX_TEXT_CHARACTERS = 2048
_INFERENCE_ID = re.compile(r"[\x20-\x7e]{1,64}")
_STATUSES = {status.lower(): status.value for status in Status}


class TestNotification:
    """Sent when an endpoint is created or updated, so with every scaling action."""

    __test__ = False  # pytest would collect a class with this name


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultNotification:
    """A notification of an ended inference. Times are timestamps; locations are as received."""

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
    """Optional fields that were invalid."""
    digest: str
    """Digest of the whole notification, whatever the order of its fields. It breaks ties."""


def parse_notification(body: str) -> ResultNotification | TestNotification:
    """Parse the body of a queue message: SageMaker's JSON, or SNS's envelope around it.

    Raises Unprocessable, which names the field and what was expected, never the value.
    """
    event = _json_object(body, "body")
    if _is_envelope(event):
        event = _json_object(_text(event, "Message", "", None) or "", "Message")
    match event.get("eventName"):
        case "TestNotification":
            return TestNotification()
        case "InferenceResult":
            return _result_notification(event)
    raise Unprocessable(Reason.UNKNOWN_EVENT, "eventName", "InferenceResult or TestNotification")


def unwrap_envelope(body: str) -> str:
    """Return what SageMaker published: the message in SNS's envelope, or the body itself."""
    try:
        event = _json_object(body, "body")
    except Unprocessable:
        return body
    message = event["Message"] if _is_envelope(event) else body
    return message if isinstance(message, str) else body


def _is_envelope(event: dict[str, Any]) -> bool:
    return event.get("Type") == "Notification" and "Message" in event


def _result_notification(event: dict[str, Any]) -> ResultNotification:
    ignored: list[str] = []
    optional = partial(_ignore_invalid, ignored)
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


def _ignore_invalid(ignored: list[str], read: Callable[..., _T], *arguments: Any) -> _T | None:
    """Read an optional field. If it is invalid, add its name to `ignored` and return None."""
    try:
        return read(*arguments)
    except Unprocessable as error:
        ignored.append(error.field)
        return None


def _json_object(text: str, name: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    # RecursionError: nested too deeply. ValueError: also integers with too many digits.
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
    fields: dict[str, Any], name: str, path: str = "", limit: int | None = _MAX_TEXT_CHARACTERS
) -> str | None:
    """A string field; None if it is missing, null or empty."""
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
    # Index sort keys include the name, and can have 1024 bytes.
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
        raise Unprocessable(Reason.INVALID_FIELD, name, "the status of an ended inference")
    return status


def _time(event: dict[str, Any], name: str) -> str | None:
    text = _text(event, name, "", 64)
    if text is None:
        return None
    try:
        return parse_timestamp(text)
    except ValueError as error:
        raise Unprocessable(
            Reason.INVALID_FIELD, name, "an ISO 8601 timestamp with an offset"
        ) from error


def _digest(event: dict[str, Any]) -> str:
    try:
        canonical = json.dumps(event, sort_keys=True)
    except RecursionError as error:
        raise Unprocessable(Reason.NOT_JSON, "body", "JSON with less nesting") from error
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def _response_body(event: dict[str, Any]) -> bytes | None:
    """The response in the notification. None if it is invalid: S3 has the response too."""
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
