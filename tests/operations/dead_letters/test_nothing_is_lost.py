"""Whatever fails, and wherever it is stopped: a message is in its queue, or it arrived."""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_results.cli.connection import Connection
from tests.operations.dead_letters.conftest import run_command
from tests.operations.dead_letters.fake_aws import FakeAws, given_up, record, refusal
from tests.samples import body, failed


@dataclass(frozen=True)
class Trouble:
    """At one call, and if it lasts at all that follow."""

    at: int
    when: str
    error: BaseException
    lasts: bool

    def __call__(self, number, operation, when):
        if when == self.when and (number == self.at or (self.lasts and number > self.at)):
            raise self.error


TROUBLES = st.builds(
    Trouble,
    at=st.integers(0, 40),
    when=st.sampled_from(["before", "after"]),
    error=st.sampled_from(
        [
            KeyboardInterrupt(),
            refusal("Any", "Throttling"),
            refusal("Any", "AccessDenied", 403),
            refusal("Any", "InternalError", 500),
            refusal("Any", "InvalidParameter"),
        ]
    ),
    lasts=st.booleans(),
)
SOUND = st.lists(st.booleans(), min_size=1, max_size=14)


@pytest.fixture(scope="module")
def with_session():
    with pytest.MonkeyPatch.context() as patch:
        yield lambda cloud: patch.setattr(Connection, "session", lambda connection: cloud)


@pytest.fixture(scope="module")
def until_all_are_gone(with_session):
    """Run a command under trouble, and then without: it ends with all that is sound gone."""

    def run(cloud, trouble, *words, check):
        with_session(cloud)
        cloud.trouble = trouble
        _end_as_expected(run_command(*words))
        check()
        cloud.trouble = FakeAws().trouble
        for queue in cloud.queues.values():
            for message in queue:
                message.hidden = False
        _end_as_expected(run_command(*words))
        check()

    return run


def _end_as_expected(result):
    """Any other exception is a bug."""
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception


@given(SOUND, TROUBLES, st.sampled_from(["failed", "completed-subscription"]))
def test_a_notification_is_in_its_queue_or_was_published(until_all_are_gone, sound, trouble, queue):
    cloud = FakeAws()
    bodies = {
        cloud.put(queue, body(failed(f"id-{n}")) if good else f"poison {n}"): good
        for n, good in enumerate(sound)
    }
    texts = {each.message_id: each.body for each in next(q for q in cloud.queues.values() if q)}

    def check():
        published = {text for _, text in cloud.published}
        for message, good in bodies.items():
            assert message in cloud.ids(queue) or (good and texts[message] in published)

    until_all_are_gone(cloud, trouble, "redrive", queue, "--all", "--rate", "1000000", check=check)
    assert cloud.ids(queue) == [message for message, good in bodies.items() if not good]


@given(SOUND, TROUBLES)
def test_a_part_of_the_stream_is_in_its_queue_or_was_told_whole(until_all_are_gone, sound, trouble):
    cloud = FakeAws(records=[record(n) for n in range(100, 500)])
    parts = {}
    for n, good in enumerate(sound):
        first, last = 100 + 10 * n, 100 + 10 * n + n
        message = cloud.put("summaries", given_up(first, last) if good else "{}")
        parts[message] = set(range(first, last + 1)) if good else None

    def check():
        told = {
            int(each["dynamodb"]["SequenceNumber"])
            for _, event in cloud.invoked
            for each in event["Records"]
        }
        for message, part in parts.items():
            assert message in cloud.ids("summaries") or (part and part <= told)

    until_all_are_gone(
        cloud, trouble, "redrive", "summaries", "--all", "--rate", "1000000", check=check
    )
    assert cloud.ids("summaries") == [message for message, part in parts.items() if not part]


@given(st.integers(1, 14), TROUBLES)
def test_a_message_is_in_its_queue_or_saved(until_all_are_gone, count, trouble):
    cloud = FakeAws()
    messages = {cloud.put("unprocessable", f"poison {n}") for n in range(count)}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "saved"

        def check():
            lines = file.read_text().splitlines() if file.exists() else []
            saved = {json.loads(line)["message_id"] for line in lines}
            assert messages <= saved | set(cloud.ids("unprocessable"))

        words = ("drop", "unprocessable", "--all", "--yes", "--save", str(file))
        until_all_are_gone(cloud, trouble, *words, check=check)
    assert cloud.ids("unprocessable") == []
