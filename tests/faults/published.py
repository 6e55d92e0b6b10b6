"""Random notifications with their expected records, and malformed messages among them."""

import base64
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from inference_results.domain.record.timestamps import timestamp
from inference_results.domain.results.response import FAILURE_PREVIEW_BYTES
from tests.support.samples import body, sample

ENDPOINTS = ("storm-a", "storm-b")
INLINE_BYTES = 1024

_REASON = "ClientError: Received {} error ({}) from model. See the logs."
_FAILURES = [
    (_REASON.format("client", 400), {"code": "MODEL_ERROR_4XX", "model_status": 400}, False),
    (_REASON.format("client", 429), {"code": "MODEL_ERROR_4XX", "model_status": 429}, True),
    (_REASON.format("server", 503), {"code": "MODEL_ERROR_5XX", "model_status": 503}, True),
    (_REASON.format("server", 0), {"code": "MODEL_TIMEOUT"}, True),
    ("InternalServerError: unable to read the input", {"code": "UNKNOWN"}, False),
]


@dataclass(frozen=True)
class StoredObject:
    """An S3 object that notifications refer to."""

    bucket: str
    key: str
    content: bytes
    version_id: str
    etag: str

    @property
    def location(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True)
class Result:
    """The notifications of an inference, in order of time, and the expected record.

    `record` lacks the attributes that record_result sets itself (recorded_at, expires_at).
    """

    events: tuple[dict[str, Any], ...]
    record: dict[str, Any]

    @property
    def identity(self) -> tuple[str, str]:
        return self.record["inference_id"], self.record["endpoint_name"]


@dataclass(frozen=True)
class MalformedMessage:
    """A message that cannot be processed, and the expected reason."""

    kind: str
    text: str
    reason: str


@dataclass(frozen=True)
class Published:
    """All results and malformed messages; `messages` are the texts in sending order."""

    results: list[Result]
    malformed: list[MalformedMessage]
    messages: list[str] = field(repr=False)


def generate(
    number: int, seed: int, outputs: list[StoredObject], failures: list[StoredObject]
) -> Published:
    """Generate `number` results and 1 % malformed messages, each published one to three times.

    Every kind occurs index least once.
    """
    rng = random.Random(seed)  # noqa: S311 - repeatable
    results = [_Generator(rng, index, outputs, failures).result() for index in range(number)]
    malformed = [
        _malformed_message(index, rng) for index in range(max(len(_MALFORMED), number // 100))
    ]
    texts = [body(event) for each in results for event in each.events]
    texts += [each.text for each in malformed]
    messages = [text for text in texts for _ in range(_copies(rng))]
    rng.shuffle(messages)
    return Published(results, malformed, messages)


def _copies(rng: random.Random) -> int:
    return rng.choices((1, 2, 3), (75, 20, 5))[0]


class _Generator:
    """Generates one result: the first ones of each kind in turn, the others of a random kind."""

    def __init__(
        self,
        rng: random.Random,
        index: int,
        outputs: list[StoredObject],
        failures: list[StoredObject],
    ) -> None:
        self.rng = rng
        self.index = index
        self.outputs = outputs
        self.failures = failures
        self.inference_id = f"{index:06d} {rng.getrandbits(64):016x}"
        self.endpoint_name = rng.choice(ENDPOINTS)
        noon = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
        self.received = noon - timedelta(days=1, milliseconds=rng.randrange(3_600_000))
        self.ended = self.received + timedelta(milliseconds=rng.randrange(600_000))

    def result(self) -> Result:
        kinds: dict[Callable[[], Result], int] = {
            self._small_output: 24,
            self._large_output: 10,
            self._output_in_the_notification: 12,
            self._missing_output: 1,
            self._output_outside_the_prefixes: 1,
            self._failure_with_response: 12,
            self._failure: 24,
            self._expiry: 8,
            self._unknown_status: 3,
            self._failure_then_completion: 5,
        }
        if self.index < len(kinds):
            return list(kinds)[self.index]()
        return self.rng.choices(list(kinds), list(kinds.values()))[0]()

    def _small_output(self) -> Result:
        small = [each for each in self.outputs if len(each.content) <= INLINE_BYTES]
        stored = self.rng.choice(small)
        return self._completed_result(stored, inline=stored.content)

    def _large_output(self) -> Result:
        large = [each for each in self.outputs if len(each.content) > INLINE_BYTES]
        stored = self.rng.choice(large)
        return self._completed_result(stored)

    def _completed_result(self, stored: StoredObject, **known: Any) -> Result:
        output = _located(stored) | {
            "version_id": stored.version_id,
            "etag": stored.etag,
            "size": len(stored.content),
            "content_type": "application/json",
            **known,
        }
        return Result((self._completion(stored.location),), self._record(output=output))

    def _output_in_the_notification(self) -> Result:
        stored = self.rng.choice(self.outputs)
        content = self.rng.randbytes(self.rng.randrange(1, 300))
        response_body = {"content": base64.b64encode(content).decode(), "encoding": "BASE64"}
        output = _located(stored) | {
            "size": len(content),
            "content_type": "application/json",
            "inline": content,
        }
        event = self._completion(stored.location, responseBody=response_body)
        return Result((event,), self._record(output=output))

    def _missing_output(self) -> Result:
        stored = self.rng.choice(self.outputs)
        key = f"{stored.key}-{self.inference_id[:6]}.missing"
        location = f"s3://{stored.bucket}/{key}"
        output = {
            "location": location,
            "bucket": stored.bucket,
            "key": key,
            "content_type": "application/json",
        }
        error = {"code": "NoSuchKey", "message": "S3 has no such object"}
        return Result(
            (self._completion(location),), self._record(output=output, output_error=error)
        )

    def _output_outside_the_prefixes(self) -> Result:
        location = f"s3://somebody-elses/{self.inference_id[:6]}.out"
        error = {
            "code": "LocationNotAllowed",
            "message": (
                "expected a location below the stack's output_prefixes, without a .. segment"
            ),
            "location": location,
        }
        return Result((self._completion(location),), self._record(output_error=error))

    def _failure_with_response(self) -> Result:
        stored = self.rng.choice(self.failures)
        event, failure = self._failed()
        event["responseParameters"] = {"failureLocation": stored.location}
        failure |= {
            "location": stored.location,
            "body_preview": stored.content[:FAILURE_PREVIEW_BYTES].decode(),
        }
        return Result((event,), self._record("Failed", failure=failure))

    def _failure(self) -> Result:
        event, failure = self._failed()
        return Result((event,), self._record("Failed", failure=failure))

    def _expiry(self) -> Result:
        event = self._event("failed", invocationStatus="expired", failureReason=None)
        failure = {"code": "EXPIRED", "retryable": True}
        return Result((event,), self._record("Expired", failure=failure))

    def _unknown_status(self) -> Result:
        event = self._event("failed", invocationStatus="Cancelled", failureReason=None)
        return Result((event,), self._record("Cancelled"))

    def _failure_then_completion(self) -> Result:
        earlier = self.ended - timedelta(seconds=self.rng.randrange(1, 60))
        failure = self._event("failed", eventTime=timestamp(earlier), failureReason="once")
        later = self._small_output()
        return Result((failure, *later.events), later.record)

    def _failed(self) -> tuple[dict[str, Any], dict[str, Any]]:
        reason, code, retryable = self.rng.choice(_FAILURES)
        event = self._event("failed", failureReason=reason)
        return event, {"reason": reason, "retryable": retryable, **code}

    def _completion(self, location: str, **changes: Any) -> dict[str, Any]:
        event = self._event("completed", **changes)
        event["responseParameters"] = {
            "contentType": "application/json",
            "outputLocation": location,
        }
        return event

    def _event(self, name: str, **changes: Any) -> dict[str, Any]:
        return sample(
            name,
            **{
                "inferenceId": self.inference_id,
                "receivedTime": timestamp(self.received),
                "eventTime": timestamp(self.ended),
                "requestParameters": {
                    "endpointName": self.endpoint_name,
                    "contentType": "text/csv",
                    "inputLocation": f"s3://inputs/{self.inference_id}",
                    "customAttributes": f"order={self.inference_id[:6]}",
                },
            }
            | changes,
        )

    def _record(self, status: str = "Completed", **attributes: Any) -> dict[str, Any]:
        return {
            "inference_id": self.inference_id,
            "endpoint_name": self.endpoint_name,
            "status": status,
            "received_at": timestamp(self.received),
            "event_time": timestamp(self.ended),
            "input_location": f"s3://inputs/{self.inference_id}",
            "content_type": "text/csv",
            "custom_attributes": f"order={self.inference_id[:6]}",
            **attributes,
        }


def _located(stored: StoredObject) -> dict[str, Any]:
    return {"location": stored.location, "bucket": stored.bucket, "key": stored.key}


def _malformed_message(index: int, rng: random.Random) -> MalformedMessage:
    kind = list(_MALFORMED)[index % len(_MALFORMED)]
    write, reason = _MALFORMED[kind]
    return MalformedMessage(kind, write(f"malformed {index} {rng.getrandbits(64):016x}"), reason)


def _notification_with(**changes: Any) -> Callable[[str], str]:
    """Return a writer of failed notifications with changes; the marker makes each unique."""
    return lambda marker: body(
        sample("failed", **{"inferenceId": marker, **changes}) | {"x": marker}
    )


_MALFORMED: dict[str, tuple[Callable[[str], str], str]] = {
    "no JSON": (lambda marker: marker, "NotJson"),
    "JSON cut off": (lambda marker: _notification_with()(marker)[:-1], "NotJson"),
    "a list": (lambda marker: json.dumps([marker]), "NotJson"),
    "nested too deep": (lambda marker: f'["{marker}", ' + "[" * 10_000 + "]" * 10_001, "NotJson"),
    "unknown event": (_notification_with(eventName="InferenceQueued"), "UnknownEvent"),
    "no event": (_notification_with(eventName=None), "UnknownEvent"),
    "no id": (_notification_with(inferenceId=None), "MissingField"),
    "no status": (_notification_with(invocationStatus=None), "MissingField"),
    "no time": (_notification_with(eventTime=None), "MissingField"),
    "an id too long": (_notification_with(inferenceId="i" * 65), "InvalidField"),
    "a time without offset": (_notification_with(eventTime="2026-01-25T22:46:00"), "InvalidField"),
    "has not ended": (_notification_with(invocationStatus="InProgress"), "InvalidField"),
}
