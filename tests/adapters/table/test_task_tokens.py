"""Where the tokens of those who wait are kept, and that nobody is shown them."""

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
from inference_results.domain.submissions.submit import inference_id_for
from tests.adapters.table.test_submissions import NOW, at, done, register, world
from tests.submitting import LARGE, Submitters

__all__ = ["register", "world"]  # fixtures


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


# registrations


def test_a_registration_keeps_its_token_and_shows_it_to_nobody(register, tokens):
    record = register(task_token="SECRET")
    assert tokens() == {"SECRET"}
    assert "SECRET" not in repr(record)


def test_the_same_registration_with_another_token_adds_it(register, tokens):
    register(task_token="one")
    register(task_token="two")
    register()
    register(task_token="two")
    assert tokens() == {"one", "two"}


def test_a_registration_in_other_words_keeps_the_tokens(register, tokens):
    register(task_token="one")
    register(task_token="two", metadata={"note": "b"})
    register(metadata={"note": "c"})
    assert tokens() == {"one", "two"}


def test_a_token_does_not_decide_which_registration_wins(register):
    records = [register(task_token=each) for each in "zyx"]
    assert records == [records[0]] * 3


def test_a_token_that_comes_with_or_after_the_result_is_kept_beside_it(register, world, tokens):
    world.settle(done(at(minutes=1)))
    assert register(task_token="one")["status"] == "Completed"
    assert register(task_token="two")["status"] == "Completed"
    assert tokens() == {"one", "two"}


def test_a_result_and_its_duplicate_leave_the_tokens(register, world, tokens):
    register(task_token="one")
    for _ in range(2):
        world.settle(done(at(minutes=1)))
    assert tokens() == {"one"}


@pytest.mark.parametrize(("again", "left"), [({"task_token": "new"}, {"new"}), ({}, set())])
@pytest.mark.parametrize("ended", [False, True])
def test_the_tokens_of_another_invocation_go_with_it(register, world, tokens, again, left, ended):
    register(task_token="old")
    if ended:
        world.settle(done(at(minutes=1)))
    record = register(at(hours=2), key="two.out", **again)
    assert (record["status"], tokens()) == ("InProgress", left)


@pytest.mark.parametrize(("again", "left"), [({"task_token": "new"}, {"new"}), ({}, set())])
def test_they_go_too_where_the_result_of_the_other_was_there_first(
    register, world, tokens, again, left
):
    register(task_token="old")
    world.settle(done(at(hours=2, minutes=1), "two.out"))
    assert register(at(hours=2), key="two.out", **again)["status"] == "Completed"
    assert tokens() == left


def test_a_token_of_an_invocation_before_the_last_is_refused(register, tokens):
    register(at(hours=2), key="two.out", task_token="new")
    with pytest.raises(InvalidParameter, match="^task_token: expected that of the last"):
        register(task_token="old")
    register()
    assert tokens() == {"new"}


@pytest.mark.parametrize("ended", [False, True])
def test_twenty_may_wait_for_one_inference(register, world, tokens, ended):
    if ended:
        world.settle(done(at(minutes=1)))
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
def test_a_token_that_can_be_none_is_refused(register, token):
    with pytest.raises(InvalidParameter, match="^task_token: expected 1 to 2048 characters$"):
        register(task_token=token)


# submissions


def test_a_submission_keeps_the_token_from_the_start_to_the_end(callers, submitted_tokens):
    record = callers.submit(task_token="SECRET").record
    assert submitted_tokens() == {"SECRET"}
    assert "SECRET" not in repr(record)


def test_a_retry_brings_another_token_and_invokes_nothing(callers, submitted_tokens):
    first = callers.submit(task_token="one")
    again = callers.submit(task_token="two")
    assert (again.created, again.record) == (False, first.record)
    assert submitted_tokens() == {"one", "two"}
    assert callers.invoked.total() == 1


def test_a_token_of_another_request_with_the_same_key_is_not_kept(callers, submitted_tokens):
    callers.submit(task_token="one")
    with pytest.raises(KeyReused):
        callers.submit(b"other", task_token="two")
    assert submitted_tokens() == {"one"}


def test_a_refused_invocation_leaves_no_token(callers, submitted_tokens):
    callers.endpoints.error = InvocationRejected("ValidationError", "no such endpoint")
    with pytest.raises(InvocationRejected):
        callers.submit(task_token="one")
    assert submitted_tokens() == set()


def test_an_invocation_that_is_not_confirmed_keeps_the_token(callers, submitted_tokens):
    callers.endpoints.lost_answer = InvocationUnconfirmed()
    callers.submit(task_token="one")
    callers.sleep(35)
    callers.submit(task_token="two")
    assert submitted_tokens() == {"one", "two"}


def test_a_token_that_came_while_another_invoked_is_kept_with_the_answer(callers, submitted_tokens):
    callers.crash("create", task_token="one")
    callers.sleep(35)
    callers.submit(task_token="two")
    assert submitted_tokens() == {"one", "two"}
    assert callers.invoked.total() == 0


def test_nobody_is_told_that_a_token_is_kept_while_it_may_go_with_a_withdrawn_attempt(callers):
    callers.crash("create", task_token="one")
    with pytest.raises(Unavailable):
        callers.submit(task_token="two")
    assert not callers.submit().created
    callers.sleep(15)
    assert not callers.submit(task_token="two").created


@pytest.mark.parametrize("step", ["create", "put", "claim"])
def test_a_token_outlives_a_caller_that_crashes_while_preparing(callers, submitted_tokens, step):
    callers.crash(step, LARGE, task_token="one")
    callers.sleep(35)
    callers.submit(LARGE, task_token="two")
    assert submitted_tokens() == {"one", "two"}


def test_a_token_is_not_lost_with_the_attempt_that_it_waited_for(callers, submitted_tokens):
    """The other withdraws its attempt, and a third begins anew, before this one looks."""
    callers.crash("create", task_token="one")

    def withdrawn_and_begun_anew():
        item = callers.table.item(inference_id_for("speech", "one"), "speech")
        boto3.client("dynamodb").delete_item(
            TableName=callers.table._table_name,
            Key={name: {"S": item[name]} for name in ("inference_id", "endpoint_name")},
        )
        callers.submit(task_token="three")

    callers.meanwhile = withdrawn_and_begun_anew
    callers.submit(task_token="two")
    assert submitted_tokens() == {"two", "three"}


def test_twenty_may_wait_for_one_submission(callers, submitted_tokens):
    for number in range(20):
        callers.submit(task_token=str(number))
    with pytest.raises(InvalidParameter, match="^task_token: expected at most 20"):
        callers.submit(task_token="more")
    callers.submit(task_token="0")
    assert len(submitted_tokens()) == 20
    assert callers.invoked.total() == 1


# what readers get


def test_no_reader_is_shown_a_token(register, table_name):
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
