"""What is published: results, each with the record that it must leave, and poison among them."""

import base64
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from inference_results.domain.record.timestamps import timestamp
from inference_results.domain.results.response import FAILURE_PREVIEW_BYTES
from tests.samples import body, sample

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
    """An object in S3 that results refer to."""

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
    """An inference: what is notified of it, in the order of time, and the record to be left.

    `record` lacks what only the recorder can know (recorded_at, expires_at).
    """

    events: tuple[dict[str, Any], ...]
    record: dict[str, Any]

    @property
    def identity(self) -> tuple[str, str]:
        return self.record["inference_id"], self.record["endpoint_name"]


@dataclass(frozen=True)
class Poison:
    """What no retry can help, and the reason that is to be given for it."""

    kind: str
    text: str
    reason: str


@dataclass(frozen=True)
class Published:
    """All there is; `notices` are the texts in the order in which they are sent."""

    results: list[Result]
    poison: list[Poison]
    notices: list[str] = field(repr=False)


def draw(
    number: int, seed: int, outputs: list[StoredObject], failures: list[StoredObject]
) -> Published:
    """`number` results and 1 % poison (each kind once at least), each one to three times."""
    chance = random.Random(seed)  # noqa: S311 - to be repeated
    results = [_Drawing(chance, at, outputs, failures).result() for at in range(number)]
    poison = [_poison(at, chance) for at in range(max(len(_POISONS), number // 100))]
    texts = [body(event) for each in results for event in each.events]
    texts += [each.text for each in poison]
    notices = [text for text in texts for _ in range(_times(chance))]
    chance.shuffle(notices)
    return Published(results, poison, notices)


def _times(chance: random.Random) -> int:
    return chance.choices((1, 2, 3), (75, 20, 5))[0]


class _Drawing:
    """One result: the first ones of each kind, the others of a kind that chance picks."""

    def __init__(
        self,
        chance: random.Random,
        at: int,
        outputs: list[StoredObject],
        failures: list[StoredObject],
    ) -> None:
        self.chance = chance
        self.at = at
        self.outputs = outputs
        self.failures = failures
        self.inference_id = f"{at:06d} {chance.getrandbits(64):016x}"
        self.endpoint_name = chance.choice(ENDPOINTS)
        noon = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
        self.received = noon - timedelta(days=1, milliseconds=chance.randrange(3_600_000))
        self.ended = self.received + timedelta(milliseconds=chance.randrange(600_000))

    def result(self) -> Result:
        kinds: dict[Callable[[], Result], int] = {
            self._small_output: 24,
            self._large_output: 10,
            self._output_in_the_notice: 12,
            self._missing_output: 1,
            self._output_elsewhere: 1,
            self._failure_with_answer: 12,
            self._failure: 24,
            self._expiry: 8,
            self._unknown_status: 3,
            self._failure_then_completion: 5,
        }
        if self.at < len(kinds):
            return list(kinds)[self.at]()
        return self.chance.choices(list(kinds), list(kinds.values()))[0]()

    def _small_output(self) -> Result:
        stored = self.chance.choice([it for it in self.outputs if len(it.content) <= INLINE_BYTES])
        return self._completed(stored, inline=stored.content)

    def _large_output(self) -> Result:
        stored = self.chance.choice([it for it in self.outputs if len(it.content) > INLINE_BYTES])
        return self._completed(stored)

    def _completed(self, stored: StoredObject, **known: Any) -> Result:
        output = _located(stored) | {
            "version_id": stored.version_id,
            "etag": stored.etag,
            "size": len(stored.content),
            "content_type": "application/json",
            **known,
        }
        return Result((self._completion(stored.location),), self._record(output=output))

    def _output_in_the_notice(self) -> Result:
        stored = self.chance.choice(self.outputs)
        content = self.chance.randbytes(self.chance.randrange(1, 300))
        told = {"content": base64.b64encode(content).decode(), "encoding": "BASE64"}
        output = _located(stored) | {
            "size": len(content),
            "content_type": "application/json",
            "inline": content,
        }
        event = self._completion(stored.location, responseBody=told)
        return Result((event,), self._record(output=output))

    def _missing_output(self) -> Result:
        stored = self.chance.choice(self.outputs)
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

    def _output_elsewhere(self) -> Result:
        location = f"s3://somebody-elses/{self.inference_id[:6]}.out"
        error = {
            "code": "LocationNotAllowed",
            "message": "outside the output prefixes that may be read",
            "location": location,
        }
        return Result((self._completion(location),), self._record(output_error=error))

    def _failure_with_answer(self) -> Result:
        stored = self.chance.choice(self.failures)
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
        earlier = self.ended - timedelta(seconds=self.chance.randrange(1, 60))
        failure = self._event("failed", eventTime=timestamp(earlier), failureReason="once")
        later = self._small_output()
        return Result((failure, *later.events), later.record)

    def _failed(self) -> tuple[dict[str, Any], dict[str, Any]]:
        reason, code, retryable = self.chance.choice(_FAILURES)
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

    def _record(self, status: str = "Completed", **outcome: Any) -> dict[str, Any]:
        return {
            "inference_id": self.inference_id,
            "endpoint_name": self.endpoint_name,
            "status": status,
            "received_at": timestamp(self.received),
            "event_time": timestamp(self.ended),
            "input_location": f"s3://inputs/{self.inference_id}",
            "content_type": "text/csv",
            "custom_attributes": f"order={self.inference_id[:6]}",
            **outcome,
        }


def _located(stored: StoredObject) -> dict[str, Any]:
    return {"location": stored.location, "bucket": stored.bucket, "key": stored.key}


def _poison(at: int, chance: random.Random) -> Poison:
    kind = list(_POISONS)[at % len(_POISONS)]
    write, reason = _POISONS[kind]
    return Poison(kind, write(f"poison {at} {chance.getrandbits(64):016x}"), reason)


def _spoilt(**changes: Any) -> Callable[[str], str]:
    """A failed event with changes; the marker makes it one of its kind."""
    return lambda marker: body(
        sample("failed", **{"inferenceId": marker, **changes}) | {"x": marker}
    )


_POISONS: dict[str, tuple[Callable[[str], str], str]] = {
    "no JSON": (lambda marker: marker, "NotJson"),
    "JSON cut off": (lambda marker: _spoilt()(marker)[:-1], "NotJson"),
    "a list": (lambda marker: json.dumps([marker]), "NotJson"),
    "nested too deep": (lambda marker: f'["{marker}", ' + "[" * 10_000 + "]" * 10_001, "NotJson"),
    "unknown event": (_spoilt(eventName="InferenceQueued"), "UnknownEvent"),
    "no event": (_spoilt(eventName=None), "UnknownEvent"),
    "no id": (_spoilt(inferenceId=None), "MissingField"),
    "no status": (_spoilt(invocationStatus=None), "MissingField"),
    "no time": (_spoilt(eventTime=None), "MissingField"),
    "an id too long": (_spoilt(inferenceId="i" * 65), "InvalidField"),
    "a time without offset": (_spoilt(eventTime="2026-01-25T22:46:00"), "InvalidField"),
    "has not ended": (_spoilt(invocationStatus="InProgress"), "InvalidField"),
}
