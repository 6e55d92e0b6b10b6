"""The table of inferences, as submitters write to it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from inference_results.adapters.aws.calls import translate_unavailable
from inference_results.adapters.table.index_keys import IndexKeys
from inference_results.adapters.table.items import from_item, to_item
from inference_results.adapters.table.results import KEY, RESULT_ATTRIBUTES, replace_expression
from inference_results.contract import Attribute, Status, SubmissionMember
from inference_results.domain.record.errors import InvalidParameter, Unavailable
from inference_results.domain.record.order import CLOCK_TOLERANCE, UNNOTIFIED
from inference_results.domain.record.parameters import MAX_TASK_TOKENS, TASK_TOKEN
from inference_results.domain.record.timestamps import timestamp
from inference_results.domain.submissions.submission import Stage, Submission

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

_OWN: Final = (
    Attribute.SUBMITTED_AT,
    Attribute.DEADLINE,
    Attribute.CALLER_METADATA,
    Attribute.SUBMISSION,
)
"""What a registration replaces, and no result touches; `request_digest` is kept by both."""

_NAMES: Final[dict[str, str]] = {
    "#output": Attribute.OUTPUT,
    "#failure": Attribute.FAILURE,
    "#output_error": Attribute.OUTPUT_ERROR,
    "#submission": Attribute.SUBMISSION,
    "#order": SubmissionMember.ORDER,
    "#output_location": SubmissionMember.OUTPUT_LOCATION,
    "#location": "location",
}
_NEVER_REGISTERED: Final = "attribute_not_exists(#submission.#order)"
_REGISTERED_WITH_LOWER_ORDER: Final = "#submission.#order < :order"
_NEWER: Final = f"({_NEVER_REGISTERED} OR {_REGISTERED_WITH_LOWER_ORDER})"
_NO_RECORD: Final = f"attribute_not_exists({Attribute.INFERENCE_ID})"
_HAS_RESULT: Final = f"attribute_exists({Attribute.EVENT_ORDER})"
_NO_RESULT: Final = f"attribute_not_exists({Attribute.EVENT_ORDER})"
_RESULT_NAMES_AN_OUTPUT: Final = (
    "(attribute_exists(#output.#location)"
    " OR (attribute_exists(#output_error.#location) AND attribute_not_exists(#failure)))"
)
_RESULT_IS_ELSEWHERE: Final = (
    "NOT (#output.#location = :output_location OR #failure.#location = :failure_location"
    " OR #output_error.#location IN (:output_location, :failure_location))"
)
_OUTPUT_OF_EARLIER_INVOCATION: Final = (
    f"({_RESULT_NAMES_AN_OUTPUT} AND {_RESULT_IS_ELSEWHERE}"
    f" AND {Attribute.EVENT_TIME} < :submitted_at)"
)
_FAILURE_LONG_BEFORE: Final = (
    f"(NOT {_RESULT_NAMES_AN_OUTPUT} AND {_RESULT_IS_ELSEWHERE}"
    f" AND {Attribute.EVENT_TIME} < :long_before)"
)
_SWEPT_OF_OTHER_SUBMISSION: Final = (
    f"(begins_with({Attribute.EVENT_ORDER}, :unannounced) AND {_RESULT_IS_ELSEWHERE}"
    " AND NOT #submission.#output_location = :output_location)"
)
_BEGINS: Final = (
    f"{_NEWER} AND ({_NO_RESULT} OR {_OUTPUT_OF_EARLIER_INVOCATION}"
    f" OR {_FAILURE_LONG_BEFORE} OR {_SWEPT_OF_OTHER_SUBMISSION})"
)

_OF_ANOTHER_INVOCATION: Final = (
    "(attribute_exists(#submission.#output_location)"
    " AND #submission.#output_location <> :output_location)"
)
_HAS_ROOM: Final = (
    f"(attribute_not_exists(#{Attribute.TASK_TOKENS})"
    f" OR contains(#{Attribute.TASK_TOKENS}, :token)"
    f" OR size(#{Attribute.TASK_TOKENS}) < :most_tokens)"
)

_TRIES: Final = 5
"""Of a registration, whose two writes others may come between."""


class SubmissionStore:
    """Writes registrations and attempts, each by one conditional write."""

    def __init__(self, client: "DynamoDBClient", table_name: str, shards: int) -> None:
        self._client = client
        self._table_name = table_name
        self._shards = shards

    def register(self, submission: Submission) -> dict[str, Any]:
        """The item as it stands afterwards: in progress anew, or its result with the submission.

        Nothing but its task tokens changes if the same registration, or that of a later
        invocation, is there. Of another invocation the tokens go with it.
        """
        item: dict[str, Any] = {}
        for _ in range(_TRIES):
            anew = _is_of_another(item, submission)
            begun, item = self._begin(submission, anew=anew)
            if begun:
                return item
            if _order(item) >= submission.order:
                found = self._keep_token(submission, item)
            elif _is_of_another(item, submission) != anew:
                continue
            else:
                found = self._attach(submission, anew=anew)
            if found:
                return found
        raise Unavailable("dynamodb", "Contended")

    def create(self, attempt: Submission) -> dict[str, Any] | None:
        """None if the attempt is recorded now, else the item that is there, within its retention.

        botocore may have written it already when it tries again, so the attempt is known by its
        order.
        """
        now = datetime.fromisoformat(attempt.recorded_at)
        _, item = self._put_in_progress(
            attempt,
            [f"({_NO_RECORD} OR {Attribute.EXPIRES_AT} <= :now)"],
            {},
            {":now": int(now.timestamp())},
            anew=True,
        )
        return None if _order(item) == attempt.order else item

    def claim(self, attempt: Submission) -> bool:
        """Whether the invocation, which is still prepared, is for this attempt to make.

        One that the sweep has ended before anybody claimed it is in progress anew.
        """
        values = {
            ":preparing": Stage.PREPARING,
            ":in_progress": Status.IN_PROGRESS,
            ":lost": Status.LOST,
        }
        _, item = self._put_in_progress(
            attempt,
            ["#submission.#stage = :preparing AND #status IN (:in_progress, :lost)"],
            {"#stage": SubmissionMember.STAGE},
            values,
            anew=False,
        )
        # Also if it was claimed by a first try of botocore's, whose answer was lost.
        return _order(item) == attempt.order

    def add_token(self, submission: Submission) -> dict[str, Any]:
        """The item with the task token among its own; empty if it is gone, or another's by now.

        Raises InvalidParameter if there is no room.
        """
        names, values, conditions = {}, {}, [f"attribute_exists({Attribute.INFERENCE_ID})"]
        # An attempt knows none yet, and its id stands for no other invocation.
        if submission.output_location:
            conditions.append(f"NOT {_OF_ANOTHER_INVOCATION}")
            names = {
                "#submission": Attribute.SUBMISSION,
                "#output_location": SubmissionMember.OUTPUT_LOCATION,
            }
            values = {":output_location": submission.output_location}
        added, item = self._update(submission, "", conditions, names, values, {})
        if not added and not (submission.output_location and _is_of_another(item, submission)):
            _check_room(submission, item)
        return item if added else {}

    def withdraw(self, attempt: Submission) -> None:
        """Remove the record of an attempt that invoked nothing; nothing else is removed."""
        with translate_unavailable("dynamodb"):
            try:
                self._client.delete_item(
                    TableName=self._table_name,
                    Key=_key(attempt),
                    ConditionExpression=f"#submission.#order = :order AND {_NO_RESULT}",
                    ExpressionAttributeNames={
                        "#submission": Attribute.SUBMISSION,
                        "#order": SubmissionMember.ORDER,
                    },
                    ExpressionAttributeValues=to_item({":order": attempt.order}),
                )
            except self._client.exceptions.ConditionalCheckFailedException:
                return  # It is another's by now.

    def item(self, inference_id: str, endpoint_name: str) -> dict[str, Any]:
        """As it stands, empty if it is gone."""
        with translate_unavailable("dynamodb"):
            answer = self._client.get_item(
                TableName=self._table_name,
                Key=to_item({KEY[0]: inference_id, KEY[1]: endpoint_name}),
                ConsistentRead=True,
            )
        return from_item(answer.get("Item", {}))

    def _keep_token(self, submission: Submission, item: dict[str, Any]) -> dict[str, Any]:
        """The item, which is that of the same registration or of a later one."""
        if submission.task_token is None:
            return item
        if _is_of_another(item, submission):
            raise InvalidParameter(TASK_TOKEN.name, "that of the last invocation with this id")
        return self.add_token(submission)

    def _begin(self, submission: Submission, *, anew: bool) -> tuple[bool, dict[str, Any]]:
        submitted_at = datetime.fromisoformat(submission.submitted_at)
        values = {
            ":order": submission.order,
            ":submitted_at": submission.submitted_at,
            ":long_before": timestamp(submitted_at - CLOCK_TOLERANCE),
            ":unannounced": UNNOTIFIED,
            ":output_location": submission.output_location or "",
            ":failure_location": submission.failure_location or "",
        }
        conditions = [_BEGINS, _another(anew)]
        return self._put_in_progress(submission, conditions, _NAMES, values, anew=anew)

    def _attach(self, submission: Submission, *, anew: bool) -> dict[str, Any]:
        """Keep the submission beside its result; empty if something else is there by now."""
        own = {name: each for name, each in self._item(submission).items() if name in _OWN}
        owned = _owned(_OWN, anew=anew)
        attached, item = self._update(
            submission,
            replace_expression(own | _tokens(submission, anew=anew), owned),
            [_NEWER, _HAS_RESULT, _another(anew)],
            {f"#{name}": name for name in owned}
            | {
                "#order": SubmissionMember.ORDER,
                "#output_location": SubmissionMember.OUTPUT_LOCATION,
            },
            {":order": submission.order, ":output_location": submission.output_location or ""},
            own,
            anew=anew,
        )
        if not attached and not anew:
            _check_room(submission, item)
        return item if attached else {}

    def _put_in_progress(
        self,
        submission: Submission,
        conditions: Sequence[str],
        names: Mapping[str, str],
        values: Mapping[str, Any],
        *,
        anew: bool,
    ) -> tuple[bool, dict[str, Any]]:
        """`anew`: of an invocation that nobody has waited for."""
        item = self._item(submission)
        owned = _owned((*RESULT_ATTRIBUTES, *_OWN), anew=anew)
        return self._update(
            submission,
            replace_expression(item | _tokens(submission, anew=anew), owned),
            conditions,
            {**{f"#{name}": name for name in (*owned, *item)}, **names},
            values,
            item,
            anew=anew,
        )

    def _update(
        self,
        submission: Submission,
        update: str,
        conditions: Sequence[str],
        names: Mapping[str, str],
        values: Mapping[str, Any],
        item: Mapping[str, Any],
        *,
        anew: bool = False,
    ) -> tuple[bool, dict[str, Any]]:
        """Whether the conditions held, and the item as it stands. `item` is to_item.

        The task token is added to those that are there, or, `anew`, takes their place.
        """
        values = dict(values)
        tokens = _tokens(submission)
        if tokens and not anew:
            update += f" ADD #{Attribute.TASK_TOKENS} :{Attribute.TASK_TOKENS}"
            conditions = [*conditions, _HAS_ROOM]
            names = {**names, f"#{Attribute.TASK_TOKENS}": Attribute.TASK_TOKENS}
            values |= {":token": submission.task_token, ":most_tokens": MAX_TASK_TOKENS}
        with translate_unavailable("dynamodb"):
            try:
                answer = self._client.update_item(
                    TableName=self._table_name,
                    Key=_key(submission),
                    UpdateExpression=update,
                    ConditionExpression=" AND ".join(conditions),
                    ExpressionAttributeNames=dict(names),
                    ExpressionAttributeValues=to_item(values)
                    | {f":{name}": value for name, value in {**item, **tokens}.items()},
                    ReturnValues="ALL_NEW",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except self._client.exceptions.ConditionalCheckFailedException as refused:
                found: dict[str, Any] = refused.response.get("Item", {})  # type: ignore[assignment]
                return False, from_item(found)
        return True, from_item(answer["Attributes"])

    def _item(self, submission: Submission) -> dict[str, Any]:
        """What is written of a submission that is in progress, without its key."""
        places = IndexKeys(
            inference_id=submission.inference_id,
            endpoint_name=submission.endpoint_name,
            shards=self._shards,
        )
        item: dict[str, Any] = {
            Attribute.STATUS: Status.IN_PROGRESS,
            Attribute.SUBMITTED_AT: submission.submitted_at,
            Attribute.DEADLINE: submission.deadline,
            Attribute.RECORDED_AT: submission.recorded_at,
            Attribute.EXPIRES_AT: submission.expires_at,
            Attribute.INPUT_LOCATION: submission.input_location,
            Attribute.CONTENT_TYPE: submission.content_type,
            Attribute.CUSTOM_ATTRIBUTES: submission.custom_attributes,
            Attribute.CALLER_METADATA: submission.caller_metadata,
            Attribute.REQUEST_DIGEST: submission.request_digest,
            Attribute.SUBMISSION: {
                SubmissionMember.ORDER: submission.order,
                SubmissionMember.OUTPUT_LOCATION: submission.output_location,
                SubmissionMember.FAILURE_LOCATION: submission.failure_location,
                SubmissionMember.STAGE: submission.stage,
            },
        }
        return to_item(
            item
            | places.by_endpoint(submission.submitted_at)
            | places.by_status(Status.IN_PROGRESS, submission.deadline)
        )


def _key(submission: Submission) -> dict[str, Any]:
    return to_item({KEY[0]: submission.inference_id, KEY[1]: submission.endpoint_name})


def _order(item: Mapping[str, Any]) -> str:
    """Below every other if nothing was submitted."""
    order: str = item.get(Attribute.SUBMISSION, {}).get(SubmissionMember.ORDER, "")
    return order


def _another(anew: bool) -> str:
    return _OF_ANOTHER_INVOCATION if anew else f"NOT {_OF_ANOTHER_INVOCATION}"


def _is_of_another(item: Mapping[str, Any], submission: Submission) -> bool:
    """Whether the item is that of an invocation that writes elsewhere."""
    location = item.get(Attribute.SUBMISSION, {}).get(SubmissionMember.OUTPUT_LOCATION)
    return location is not None and location != (submission.output_location or "")


def _tokens(submission: Submission, *, anew: bool = True) -> dict[str, Any]:
    """Serialized; empty where there is none, or where it is added to others."""
    token = submission.task_token
    return to_item({Attribute.TASK_TOKENS: {token} if token and anew else None})


def _owned(names: tuple[Attribute, ...], *, anew: bool) -> tuple[Attribute, ...]:
    return (*names, Attribute.TASK_TOKENS) if anew else names


def _check_room(submission: Submission, item: Mapping[str, Any]) -> None:
    """Raises InvalidParameter if as many tokens as there may be are others."""
    waiting = item.get(Attribute.TASK_TOKENS, ())
    if submission.task_token not in (None, *waiting) and len(waiting) >= MAX_TASK_TOKENS:
        raise InvalidParameter(TASK_TOKEN.name, f"at most {MAX_TASK_TOKENS} for one inference")
