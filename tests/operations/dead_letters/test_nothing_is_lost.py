"""A message is in its queue or delivered, whatever fails and wherever the command stops."""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_results.cli.connection import Connection
from tests.operations.dead_letters.commands import run_command
from tests.operations.dead_letters.fake_aws import FakeAws, client_error, record, stream_batch
from tests.support.samples import body, failed


@dataclass(frozen=True)
class Fault:
    """Raise an error at one call, and at all later calls if it is permanent."""

    at: int
    when: str
    error: BaseException
    is_permanent: bool

    def __call__(self, number, operation, when):
        is_due = number == self.at or (self.is_permanent and number > self.at)
        if when == self.when and is_due:
            raise self.error


FAULTS = st.builds(
    Fault,
    at=st.integers(0, 40),
    when=st.sampled_from(["before", "after"]),
    error=st.sampled_from(
        [
            KeyboardInterrupt(),
            client_error("Any", "Throttling"),
            client_error("Any", "AccessDenied", 403),
            client_error("Any", "InternalError", 500),
            client_error("Any", "InvalidParameter"),
        ]
    ),
    is_permanent=st.booleans(),
)
VALIDITY = st.lists(st.booleans(), min_size=1, max_size=14)
"""For each message, whether it is valid."""


@pytest.fixture(scope="module")
def use_cloud():
    with pytest.MonkeyPatch.context() as patch:
        yield lambda cloud: patch.setattr(Connection, "session", lambda connection: cloud)


@pytest.fixture(scope="module")
def run_twice(use_cloud):
    """Run a command with a fault, and again without."""

    def run(cloud, fault, *words, check):
        use_cloud(cloud)
        cloud.inject_fault = fault
        _assert_expected_exit(run_command(*words))
        check()
        cloud.inject_fault = FakeAws().inject_fault
        for queue in cloud.queues.values():
            for message in queue:
                message.hidden = False
        _assert_expected_exit(run_command(*words))
        check()

    return run


def _assert_expected_exit(result):
    """Any other exception is a bug."""
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception


@given(VALIDITY, FAULTS, st.sampled_from(["failed", "completed-subscription"]))
def test_a_notification_is_in_its_queue_or_was_published(run_twice, validity, fault, queue):
    cloud = FakeAws()
    messages = {
        cloud.put(queue, body(failed(f"id-{n}")) if is_valid else f"poison {n}"): is_valid
        for n, is_valid in enumerate(validity)
    }
    texts = {each.message_id: each.body for each in next(q for q in cloud.queues.values() if q)}

    def check():
        published = {text for _, text in cloud.published}
        for message, is_valid in messages.items():
            assert message in cloud.ids(queue) or (is_valid and texts[message] in published)

    run_twice(cloud, fault, "redrive", queue, "--all", "--rate", "1000000", check=check)
    assert cloud.ids(queue) == [message for message, is_valid in messages.items() if not is_valid]


@given(VALIDITY, FAULTS)
def test_a_stream_batch_is_in_its_queue_or_was_processed_completely(run_twice, validity, fault):
    cloud = FakeAws(records=[record(n) for n in range(100, 500)])
    batches = {}
    for n, is_valid in enumerate(validity):
        first, last = 100 + 10 * n, 100 + 10 * n + n
        message = cloud.put("summaries", stream_batch(first, last) if is_valid else "{}")
        batches[message] = set(range(first, last + 1)) if is_valid else None

    def check():
        processed = {
            int(each["dynamodb"]["SequenceNumber"])
            for _, event in cloud.invoked
            for each in event["Records"]
        }
        for message, batch in batches.items():
            assert message in cloud.ids("summaries") or (batch and batch <= processed)

    run_twice(cloud, fault, "redrive", "summaries", "--all", "--rate", "1000000", check=check)
    assert cloud.ids("summaries") == [message for message, batch in batches.items() if not batch]


@given(st.integers(1, 14), FAULTS)
def test_a_message_is_in_its_queue_or_saved(run_twice, count, fault):
    cloud = FakeAws()
    messages = {cloud.put("unprocessable", f"poison {n}") for n in range(count)}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "saved"

        def check():
            lines = file.read_text().splitlines() if file.exists() else []
            saved = {json.loads(line)["message_id"] for line in lines}
            assert messages <= saved | set(cloud.ids("unprocessable"))

        words = ("delete", "unprocessable", "--all", "--yes", "--save", str(file))
        run_twice(cloud, fault, *words, check=check)
    assert cloud.ids("unprocessable") == []
