"""How task tokens are stored, and that no reader sees them."""

from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest

from inference_results.adapters.table.items import from_item
from inference_results.adapters.table.queries import InferenceQueries
from inference_results.adapters.table.submissions import SubmissionStore
from inference_results.domain.queries.find import FindInference
from inference_results.domain.queries.listing import ListInferences
from inference_results.domain.record.errors import (
    InvalidParameter,
    InvocationRejected,
    InvocationUnconfirmed,
    KeyReused,
    Unavailable,
)
from inference_results.domain.submissions.submission_request import inference_id_for
from tests.adapters.table.one_inference import NOW, at, completed_at
from tests.support.submitting import LARGE, Submitters


@pytest.fixture
def tokens(table_name):
    def tokens(inference_id="inference-1", endpoint_name="here"):
        key = {"inference_id": {"S": inference_id}, "endpoint_name": {"S": endpoint_name}}
        found = boto3.client("dynamodb").get_item(TableName=table_name, Key=key)
        return from_item(found.get("Item", {})).get("task_tokens", set())

    return tokens


@pytest.fixture
def callers(table_name):
    return Submitters(SubmissionStore(boto3.client("dynamodb"), table_name, shards=4))


@pytest.fixture
def submitted_tokens(tokens):
    return lambda: tokens(inference_id_for("speech", "one"), "speech")


# Registrations


def test_a_registration_stores_its_token_and_does_not_return_it(register, tokens):
    record = register(task_token="SECRET")
    assert tokens() == {"SECRET"}
    assert "SECRET" not in repr(record)


def test_the_same_registration_with_another_token_adds_it(register, tokens):
    register(task_token="one")
    register(task_token="two")
    register()
    register(task_token="two")
    assert tokens() == {"one", "two"}


def test_a_registration_with_other_details_keeps_the_tokens(register, tokens):
    register(task_token="one")
    register(task_token="two", metadata={"note": "b"})
    register(metadata={"note": "c"})
    assert tokens() == {"one", "two"}


def test_tokens_do_not_decide_which_registration_wins(register):
    records = [register(task_token=each) for each in "zyx"]
    assert records == [records[0]] * 3


def test_a_token_after_the_result_is_stored_beside_it(register, world, tokens):
    world.process(completed_at(at(minutes=1)))
    assert register(task_token="one")["status"] == "Completed"
    assert register(task_token="two")["status"] == "Completed"
    assert tokens() == {"one", "two"}


def test_a_result_and_its_duplicate_keep_the_tokens(register, world, tokens):
    register(task_token="one")
    for _ in range(2):
        world.process(completed_at(at(minutes=1)))
    assert tokens() == {"one"}


@pytest.mark.parametrize(("again", "left"), [({"task_token": "new"}, {"new"}), ({}, set())])
@pytest.mark.parametrize("ended", [False, True])
def test_a_new_invocation_replaces_the_tokens(register, world, tokens, again, left, ended):
    register(task_token="old")
    if ended:
        world.process(completed_at(at(minutes=1)))
    record = register(at(hours=2), key="two.out", **again)
    assert (record["status"], tokens()) == ("InProgress", left)


@pytest.mark.parametrize(("again", "left"), [({"task_token": "new"}, {"new"}), ({}, set())])
def test_a_new_invocation_replaces_the_tokens_if_its_result_came_first(
    register, world, tokens, again, left
):
    register(task_token="old")
    world.process(completed_at(at(hours=2, minutes=1), "two.out"))
    assert register(at(hours=2), key="two.out", **again)["status"] == "Completed"
    assert tokens() == left


def test_a_token_of_an_invocation_before_the_last_is_rejected(register, tokens):
    register(at(hours=2), key="two.out", task_token="new")
    with pytest.raises(
        InvalidParameter, match="^task_token: expected the token of a task that waits for"
    ):
        register(task_token="old")
    register()
    assert tokens() == {"new"}


@pytest.mark.parametrize("ended", [False, True])
def test_at_most_20_tokens_wait_for_one_inference(register, world, tokens, ended):
    if ended:
        world.process(completed_at(at(minutes=1)))
    for number in range(20):
        register(task_token=str(number))
    register(task_token="7")
    for more in ({}, {"metadata": {"note": "b"}}, {"metadata": {"note": "c"}}):
        with pytest.raises(InvalidParameter, match="^task_token: expected at most 20 for one"):
            register(task_token="more", **more)
    assert len(tokens()) == 20
    register(at(hours=2), key="two.out", task_token="new")
    assert tokens() == {"new"}


@pytest.mark.parametrize("token", ["", "x" * 2049, 7, None])
def test_an_invalid_token_is_rejected(register, token):
    with pytest.raises(InvalidParameter, match="^task_token: expected 1 to 2048 characters$"):
        register(task_token=token)


# Submissions


def test_a_submission_stores_its_token_and_does_not_return_it(callers, submitted_tokens):
    record = callers.submit(task_token="SECRET").record
    assert submitted_tokens() == {"SECRET"}
    assert "SECRET" not in repr(record)


def test_a_retry_adds_its_token_and_invokes_nothing(callers, submitted_tokens):
    first = callers.submit(task_token="one")
    again = callers.submit(task_token="two")
    assert (again.created, again.record) == (False, first.record)
    assert submitted_tokens() == {"one", "two"}
    assert callers.invocation_counts.total() == 1


def test_the_token_of_another_request_with_the_same_key_is_not_stored(callers, submitted_tokens):
    callers.submit(task_token="one")
    with pytest.raises(KeyReused):
        callers.submit(b"other", task_token="two")
    assert submitted_tokens() == {"one"}


def test_a_rejected_invocation_leaves_no_token(callers, submitted_tokens):
    callers.endpoints.error = InvocationRejected("ValidationError", "no such endpoint")
    with pytest.raises(InvocationRejected):
        callers.submit(task_token="one")
    assert submitted_tokens() == set()


def test_an_unconfirmed_invocation_keeps_the_token(callers, submitted_tokens):
    callers.endpoints.lost_response = InvocationUnconfirmed()
    callers.submit(task_token="one")
    callers.sleep(35)
    callers.submit(task_token="two")
    assert submitted_tokens() == {"one", "two"}


def test_a_token_is_added_to_an_attempt_that_invokes(callers, submitted_tokens):
    callers.crash("create", task_token="one")
    callers.sleep(35)
    callers.submit(task_token="two")
    assert submitted_tokens() == {"one", "two"}
    assert callers.invocation_counts.total() == 0


def test_a_caller_is_unavailable_while_its_token_can_be_deleted_with_another_attempt(callers):
    callers.crash("create", task_token="one")
    with pytest.raises(Unavailable):
        callers.submit(task_token="two")
    assert not callers.submit().created
    callers.sleep(15)
    assert not callers.submit(task_token="two").created


@pytest.mark.parametrize("step", ["create", "put", "claim"])
def test_a_token_stays_if_its_caller_crashes_while_preparing(callers, submitted_tokens, step):
    callers.crash(step, LARGE, task_token="one")
    callers.sleep(35)
    callers.submit(LARGE, task_token="two")
    assert submitted_tokens() == {"one", "two"}


def test_a_token_is_not_lost_with_a_withdrawn_attempt(callers, submitted_tokens, table_name):
    """Before the caller reads the record, the attempt is withdrawn and a third caller starts."""
    callers.crash("create", task_token="one")

    def withdraw_and_start_again():
        item = callers.table.item(inference_id_for("speech", "one"), "speech")
        boto3.client("dynamodb").delete_item(
            TableName=table_name,
            Key={name: {"S": item[name]} for name in ("inference_id", "endpoint_name")},
        )
        callers.submit(task_token="three")

    callers.during_first_sleep = withdraw_and_start_again
    callers.submit(task_token="two")
    assert submitted_tokens() == {"two", "three"}


def test_at_most_20_tokens_wait_for_one_submission(callers, submitted_tokens):
    for number in range(20):
        callers.submit(task_token=str(number))
    with pytest.raises(InvalidParameter, match="^task_token: expected at most 20"):
        callers.submit(task_token="more")
    callers.submit(task_token="0")
    assert len(submitted_tokens()) == 20
    assert callers.invocation_counts.total() == 1


# Readers


def test_no_reader_sees_a_token(register, table_name):
    register(task_token="SECRET")
    register(task_token="SECRET", inference_id="inference-2")
    with ThreadPoolExecutor(4) as pool:
        queries = InferenceQueries(boto3.client("dynamodb"), table_name, 4, pool)
        find = FindInference(inferences=queries, now=lambda: NOW)
        listed = ListInferences(inferences=queries, now=lambda: NOW, cursor_key=b"key")
        pages = [
            listed(endpoint_name="here"),
            listed(status="InProgress"),
            listed(endpoint_name="here", status="InProgress"),
        ]
        assert [len(page["inferences"]) for page in pages] == [2, 2, 2]
        assert "SECRET" not in repr([find("inference-1"), pages])
