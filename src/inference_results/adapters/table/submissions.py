"""Write submissions to the inferences table: registrations, and attempts to submit.

A record holds a submission and a result side by side, and each is a last-writer-wins register
(docs/decisions/0011-registrations-beside-results.md). One conditional UpdateItem writes a
registration, in one of two ways:

- `_start`: there is no result, or only one of an earlier invocation. The record becomes InProgress.
- `_attach`: there is a result of this invocation or a later one. It stays.

Task tokens belong to one invocation (docs/decisions/0015-step-functions-tasks.md). A registration
of another invocation than the registered one replaces them (SET); any other adds its token (ADD).
One UpdateItem cannot choose between the two. So a write assumes one, its condition checks the
assumption, and `register` retries with the other. The assumption is named `is_new_invocation`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from inference_results.adapters.aws.errors import translate_unavailable
from inference_results.adapters.table.index_keys import IndexKeys
from inference_results.adapters.table.items import from_item, to_item
from inference_results.adapters.table.results import KEY, RESULT_ATTRIBUTES, replace_expression
from inference_results.contract import Attribute, Status, SubmissionMember
from inference_results.domain.record.definition import Owner, owned_by
from inference_results.domain.record.errors import InvalidParameter, Unavailable
from inference_results.domain.record.order import CLOCK_TOLERANCE, UNNOTIFIED
from inference_results.domain.record.parameters import MAX_TASK_TOKENS, TASK_TOKEN
from inference_results.domain.record.timestamps import timestamp
from inference_results.domain.submissions.submission import Stage, Submission

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

_SUBMISSION_ATTRIBUTES: Final = owned_by(Owner.SUBMISSION)
"""The attributes that a new registration replaces. It keeps `request_digest`, as results do."""

_NAMES: Final[dict[str, str]] = {
    "#output": Attribute.OUTPUT,
    "#failure": Attribute.FAILURE,
    "#output_error": Attribute.OUTPUT_ERROR,
    "#submission": Attribute.SUBMISSION,
    "#order": SubmissionMember.ORDER,
    "#output_location": SubmissionMember.OUTPUT_LOCATION,
    "#location": "location",
}

# The conditions compare the record in the table with the submission to write.
_NO_RECORD: Final = f"attribute_not_exists({Attribute.INFERENCE_ID})"
_HAS_RESULT: Final = f"attribute_exists({Attribute.EVENT_ORDER})"
_NO_RESULT: Final = f"attribute_not_exists({Attribute.EVENT_ORDER})"

# The registration to write wins over the registered one.
_NOT_REGISTERED: Final = "attribute_not_exists(#submission.#order)"
_OLDER_REGISTRATION: Final = "#submission.#order < :order"
_REGISTRATION_WINS: Final = f"({_NOT_REGISTERED} OR {_OLDER_REGISTRATION})"

# The result is of an earlier invocation. A result at a location of the submission never is. For
# other results, the time decides, with a clock tolerance if the result names no output.
_RESULT_NAMES_OUTPUT: Final = (
    "(attribute_exists(#output.#location)"
    " OR (attribute_exists(#output_error.#location) AND attribute_not_exists(#failure)))"
)
_RESULT_AT_OTHER_LOCATION: Final = (
    "NOT (#output.#location = :output_location OR #failure.#location = :failure_location"
    " OR #output_error.#location IN (:output_location, :failure_location))"
)
_OUTPUT_OF_EARLIER_INVOCATION: Final = (
    f"({_RESULT_NAMES_OUTPUT} AND {_RESULT_AT_OTHER_LOCATION}"
    f" AND {Attribute.EVENT_TIME} < :submitted_at)"
)
_FAILURE_OF_EARLIER_INVOCATION: Final = (
    f"(NOT {_RESULT_NAMES_OUTPUT} AND {_RESULT_AT_OTHER_LOCATION}"
    f" AND {Attribute.EVENT_TIME} < :submitted_at_with_tolerance)"
)
# A result without a notification was found for the registered submission, whatever its time.
_UNNOTIFIED_RESULT_OF_OTHER_INVOCATION: Final = (
    f"(begins_with({Attribute.EVENT_ORDER}, :unnotified) AND {_RESULT_AT_OTHER_LOCATION}"
    " AND NOT #submission.#output_location = :output_location)"
)

_STARTS_INVOCATION: Final = (
    f"{_REGISTRATION_WINS} AND ({_NO_RESULT} OR {_OUTPUT_OF_EARLIER_INVOCATION}"
    f" OR {_FAILURE_OF_EARLIER_INVOCATION} OR {_UNNOTIFIED_RESULT_OF_OTHER_INVOCATION})"
)

# Each invocation has its own output location.
_OTHER_INVOCATION_REGISTERED: Final = (
    "(attribute_exists(#submission.#output_location)"
    " AND #submission.#output_location <> :output_location)"
)
_HAS_ROOM_FOR_TOKEN: Final = (
    f"(attribute_not_exists(#{Attribute.TASK_TOKENS})"
    f" OR contains(#{Attribute.TASK_TOKENS}, :token)"
    f" OR size(#{Attribute.TASK_TOKENS}) < :max_tokens)"
)

_MAX_ATTEMPTS: Final = 5
"""Limits how often `register` tries: other writers can change the record between its writes."""


class SubmissionStore:
    """Writes registrations and attempts, each with one conditional write."""

    def __init__(self, client: "DynamoDBClient", table_name: str, shards: int) -> None:
        self._client = client
        self._table_name = table_name
        self._shards = shards

    def register(self, submission: Submission) -> dict[str, Any]:
        """Write a registration, and return the item as it is afterwards.

        If the record has the same registration or a later one, only the task token is added. Raises
        InvalidParameter if it has no room for the token, or belongs to a later invocation than the
        token; Unavailable if other writers keep changing the record.
        """
        item: dict[str, Any] = {}
        for _ in range(_MAX_ATTEMPTS):
            is_new_invocation = _is_of_other_invocation(item, submission)
            started, item = self._start(submission, is_new_invocation=is_new_invocation)
            if started:
                return item
            if _order(item) >= submission.order:
                written = self._add_token_if_any(submission, item)
            elif _is_of_other_invocation(item, submission) != is_new_invocation:
                continue  # The assumption was wrong: retry with the other.
            else:
                written = self._attach(submission, is_new_invocation=is_new_invocation)
            if written:
                return written
        raise Unavailable("dynamodb", "Contended")

    def create(self, attempt: Submission) -> dict[str, Any] | None:
        """Write an attempt if no record exists, or one past its retention. Raises Unavailable.

        Returns None if the record has this attempt, else the existing item. botocore's retry of a
        write whose response was lost finds its own item: the order identifies the attempt.
        """
        now = datetime.fromisoformat(attempt.recorded_at)
        _, item = self._put_in_progress(
            attempt,
            [f"({_NO_RECORD} OR {Attribute.EXPIRES_AT} <= :now)"],
            {},
            {":now": int(now.timestamp())},
            is_new_invocation=True,
        )
        return None if _order(item) == attempt.order else item

    def claim(self, attempt: Submission) -> bool:
        """Claim a prepared invocation. Returns whether this attempt has it. Raises Unavailable.

        If reconciliation has ended the record as Lost, it becomes InProgress again.
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
            is_new_invocation=False,
        )
        # Not whether the write succeeded: botocore's retry fails if a response was lost.
        return _order(item) == attempt.order

    def add_token(self, submission: Submission) -> dict[str, Any]:
        """Add the task token to the record, and return the item as it is afterwards.

        Returns an empty item if no record exists, or one of another invocation. Raises
        InvalidParameter if it has no room for the token; Unavailable.
        """
        names, values, conditions = {}, {}, [f"attribute_exists({Attribute.INFERENCE_ID})"]
        # An attempt has no output location yet, and its id is used for no other invocation.
        if submission.output_location:
            conditions.append(f"NOT {_OTHER_INVOCATION_REGISTERED}")
            names = {
                "#submission": Attribute.SUBMISSION,
                "#output_location": SubmissionMember.OUTPUT_LOCATION,
            }
            values = {":output_location": submission.output_location}
        added, item = self._update(submission, "", conditions, names, values, {})
        if not added and not (
            submission.output_location and _is_of_other_invocation(item, submission)
        ):
            _check_room_for_token(submission, item)
        return item if added else {}

    def withdraw(self, attempt: Submission) -> None:
        """Delete the record of an attempt that invoked nothing. Raises Unavailable.

        A record with a result or with another attempt stays.
        """
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
                return

    def item(self, inference_id: str, endpoint_name: str) -> dict[str, Any]:
        """Read an item, consistently; empty if no record exists. Raises Unavailable."""
        with translate_unavailable("dynamodb"):
            response = self._client.get_item(
                TableName=self._table_name,
                Key=to_item({KEY[0]: inference_id, KEY[1]: endpoint_name}),
                ConsistentRead=True,
            )
        return from_item(response.get("Item", {}))

    def _add_token_if_any(self, submission: Submission, item: dict[str, Any]) -> dict[str, Any]:
        """Add the task token to an item with the same registration or a later one."""
        if submission.task_token is None:
            return item
        if _is_of_other_invocation(item, submission):
            raise InvalidParameter(
                TASK_TOKEN.name, "the token of a task that waits for this id's latest invocation"
            )
        return self.add_token(submission)

    def _start(
        self, submission: Submission, *, is_new_invocation: bool
    ) -> tuple[bool, dict[str, Any]]:
        """Make the record InProgress, unless it has a later registration or a result to keep."""
        submitted_at = datetime.fromisoformat(submission.submitted_at)
        values = {
            ":order": submission.order,
            ":submitted_at": submission.submitted_at,
            ":submitted_at_with_tolerance": timestamp(submitted_at - CLOCK_TOLERANCE),
            ":unnotified": UNNOTIFIED,
            ":output_location": submission.output_location or "",
            ":failure_location": submission.failure_location or "",
        }
        conditions = [_STARTS_INVOCATION, _invocation_condition(is_new_invocation)]
        return self._put_in_progress(
            submission, conditions, _NAMES, values, is_new_invocation=is_new_invocation
        )

    def _attach(self, submission: Submission, *, is_new_invocation: bool) -> dict[str, Any]:
        """Write the registration beside the result. Returns an empty item if the record changed."""
        item = {
            name: each
            for name, each in self._item(submission).items()
            if name in _SUBMISSION_ATTRIBUTES
        }
        owned = _with_tokens(_SUBMISSION_ATTRIBUTES, is_new_invocation=is_new_invocation)
        new_token = _token_attribute(submission) if is_new_invocation else {}
        attached, written = self._update(
            submission,
            replace_expression(item | new_token, owned),
            [_REGISTRATION_WINS, _HAS_RESULT, _invocation_condition(is_new_invocation)],
            {f"#{name}": name for name in owned}
            | {
                "#order": SubmissionMember.ORDER,
                "#output_location": SubmissionMember.OUTPUT_LOCATION,
            },
            {":order": submission.order, ":output_location": submission.output_location or ""},
            item,
            is_new_invocation=is_new_invocation,
        )
        if not attached and not is_new_invocation:
            _check_room_for_token(submission, written)
        return written if attached else {}

    def _put_in_progress(
        self,
        submission: Submission,
        conditions: Sequence[str],
        names: Mapping[str, str],
        values: Mapping[str, Any],
        *,
        is_new_invocation: bool,
    ) -> tuple[bool, dict[str, Any]]:
        """Replace all attributes of a result and a submission with those of the submission."""
        item = self._item(submission)
        owned = _with_tokens(
            (*RESULT_ATTRIBUTES, *_SUBMISSION_ATTRIBUTES), is_new_invocation=is_new_invocation
        )
        new_token = _token_attribute(submission) if is_new_invocation else {}
        return self._update(
            submission,
            replace_expression(item | new_token, owned),
            conditions,
            {**{f"#{name}": name for name in (*owned, *item)}, **names},
            values,
            item,
            is_new_invocation=is_new_invocation,
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
        is_new_invocation: bool = False,
    ) -> tuple[bool, dict[str, Any]]:
        """Run an update expression if all conditions hold. Returns whether, and the resulting item.

        `values` are Python values, `item` is in DynamoDB's form. Unless the update already sets the
        task token for a new invocation, the token is added to the existing ones.
        """
        values = dict(values)
        token = _token_attribute(submission)
        if token and not is_new_invocation:
            update += f" ADD #{Attribute.TASK_TOKENS} :{Attribute.TASK_TOKENS}"
            conditions = [*conditions, _HAS_ROOM_FOR_TOKEN]
            names = {**names, f"#{Attribute.TASK_TOKENS}": Attribute.TASK_TOKENS}
            values |= {":token": submission.task_token, ":max_tokens": MAX_TASK_TOKENS}
        with translate_unavailable("dynamodb"):
            try:
                response = self._client.update_item(
                    TableName=self._table_name,
                    Key=_key(submission),
                    UpdateExpression=update,
                    ConditionExpression=" AND ".join(conditions),
                    ExpressionAttributeNames=dict(names),
                    ExpressionAttributeValues=to_item(values)
                    | {f":{name}": value for name, value in {**item, **token}.items()},
                    ReturnValues="ALL_NEW",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except self._client.exceptions.ConditionalCheckFailedException as error:
                existing: dict[str, Any] = error.response.get("Item", {})  # type: ignore[assignment]
                return False, from_item(existing)
        return True, from_item(response["Attributes"])

    def _item(self, submission: Submission) -> dict[str, Any]:
        """Build the item of an inference in progress, without its key and task token."""
        index_keys = IndexKeys(
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
            | index_keys.by_endpoint(submission.submitted_at)
            | index_keys.by_status(Status.IN_PROGRESS, submission.deadline)
        )


def _key(submission: Submission) -> dict[str, Any]:
    return to_item({KEY[0]: submission.inference_id, KEY[1]: submission.endpoint_name})


def _order(item: Mapping[str, Any]) -> str:
    """The order of an item's submission. An empty text, which sorts first, if it has none."""
    order: str = item.get(Attribute.SUBMISSION, {}).get(SubmissionMember.ORDER, "")
    return order


def _invocation_condition(is_new_invocation: bool) -> str:
    return (
        _OTHER_INVOCATION_REGISTERED if is_new_invocation else f"NOT {_OTHER_INVOCATION_REGISTERED}"
    )


def _is_of_other_invocation(item: Mapping[str, Any], submission: Submission) -> bool:
    """Whether the registered output location is another one. The same as the condition above."""
    location = item.get(Attribute.SUBMISSION, {}).get(SubmissionMember.OUTPUT_LOCATION)
    return location is not None and location != (submission.output_location or "")


def _token_attribute(submission: Submission) -> dict[str, Any]:
    """The task token in DynamoDB's form; empty if the submission has none."""
    return to_item(
        {Attribute.TASK_TOKENS: {submission.task_token} if submission.task_token else None}
    )


def _with_tokens(
    attributes: tuple[Attribute, ...], *, is_new_invocation: bool
) -> tuple[Attribute, ...]:
    """The attributes to replace. A new invocation also replaces the task tokens."""
    return (*attributes, Attribute.TASK_TOKENS) if is_new_invocation else attributes


def _check_room_for_token(submission: Submission, item: Mapping[str, Any]) -> None:
    """Raise InvalidParameter if the item has the maximum of task tokens, all of them others."""
    tokens = item.get(Attribute.TASK_TOKENS, ())
    if submission.task_token not in (None, *tokens) and len(tokens) >= MAX_TASK_TOKENS:
        raise InvalidParameter(TASK_TOKEN.name, f"at most {MAX_TASK_TOKENS} for one inference")
