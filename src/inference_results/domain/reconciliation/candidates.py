"""Parse the table items to reconcile. Other writers can store anything in the table."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from inference_results.contract import Attribute, SubmissionMember
from inference_results.domain.record.errors import MalformedRecord
from inference_results.domain.record.order import CLOCK_TOLERANCE
from inference_results.domain.record.timestamps import parse_timestamp, timestamp
from inference_results.domain.submissions.submission import Stage


@contextmanager
def _malformed_on_error() -> Iterator[None]:
    """Raise MalformedRecord after the errors of parsing an item that this service did not write."""
    try:
        yield
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise MalformedRecord("the record cannot be reconciled") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class OverdueRecord:
    """A record in progress, past its deadline."""

    inference_id: str
    endpoint_name: str
    order: str
    earliest: str
    """Objects written earlier belong to another invocation with the same id."""
    deadline: str
    output_location: str | None
    failure_location: str | None
    code_if_lost: str
    input_location: str | None
    content_type: str | None
    custom_attributes: str | None = field(repr=False)

    @classmethod
    @_malformed_on_error()
    def from_item(cls, item: Mapping[str, Any]) -> Self:
        """Raises MalformedRecord."""
        submission = item[Attribute.SUBMISSION]
        submitted_at = datetime.fromisoformat(item[Attribute.SUBMITTED_AT])
        preparing = submission.get(SubmissionMember.STAGE) == Stage.PREPARING
        return cls(
            inference_id=item[Attribute.INFERENCE_ID],
            endpoint_name=item[Attribute.ENDPOINT_NAME],
            order=_text(submission[SubmissionMember.ORDER]),
            earliest=timestamp(submitted_at - CLOCK_TOLERANCE),
            deadline=parse_timestamp(item[Attribute.DEADLINE]),
            output_location=_text(submission.get(SubmissionMember.OUTPUT_LOCATION)),
            failure_location=_text(submission.get(SubmissionMember.FAILURE_LOCATION)),
            code_if_lost="NOT_INVOKED" if preparing else "LOST",
            input_location=_text(item.get(Attribute.INPUT_LOCATION)),
            content_type=_text(item.get(Attribute.CONTENT_TYPE)),
            custom_attributes=_text(item.get(Attribute.CUSTOM_ATTRIBUTES)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadOutput:
    """The output of a completed record, which S3 did not return when the result was recorded."""

    inference_id: str
    endpoint_name: str
    event_order: str
    recorded_at: datetime
    location: str
    content_type: str | None

    @classmethod
    @_malformed_on_error()
    def from_item(cls, item: Mapping[str, Any]) -> Self:
        """Raises MalformedRecord."""
        output = item[Attribute.OUTPUT]
        return cls(
            inference_id=item[Attribute.INFERENCE_ID],
            endpoint_name=item[Attribute.ENDPOINT_NAME],
            event_order=_text(item[Attribute.EVENT_ORDER]),
            recorded_at=datetime.fromisoformat(parse_timestamp(item[Attribute.RECORDED_AT])),
            location=_text(output["location"]),
            content_type=_text(output.get("content_type")),
        )


def _text(value: Any) -> Any:
    if not isinstance(value, str | None):
        raise TypeError("expected a string")
    return value
