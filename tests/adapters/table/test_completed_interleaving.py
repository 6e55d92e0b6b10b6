"""When tasks complete while registrations, results and reconciliation come in any order."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule, run_state_machine_as_test

from inference_results.domain.changes.task_completions import (
    REPLACED,
    TaskFailure,
    completions_for_change,
)
from inference_results.domain.record.change import Change
from inference_results.domain.record.errors import InvalidParameter
from tests.adapters.table.interleaving import INVOCATIONS, Interleaving
from tests.support.effort import effort
from tests.support.writing import NOTES, Registration, output_location

TOKENS = st.sampled_from(["one", "two", "three"])


class CompletedTasks(Interleaving):
    """Completes the tasks of each step's change, as the stream reports it."""

    def __init__(self) -> None:
        super().__init__()
        self.before = {}
        self.completed: set[str] = set()
        self.registered: dict[str, int] = {}
        """The invocation of each token."""

    @rule(invocation=INVOCATIONS, note=NOTES, name=TOKENS)
    def register_with_token(self, invocation: int, note: str, name: str) -> None:
        token = f"{invocation}-{name}"
        try:
            self.write(Registration(invocation, note, token))
        except InvalidParameter:
            assert invocation < self.last
        else:
            self.registered[token] = invocation

    @invariant()
    def a_task_completes_only_once_its_inference_has_ended(self) -> None:
        before, after = self.before, self.read()
        self.before = after
        change = Change(sequence="1", made_at=0, before=before or None, after=after or None)
        for each in completions_for_change(change, custom_attributes=False):
            self.completed.add(each.token)
            invocation = self.registered[each.token]
            if isinstance(each.outcome, TaskFailure) and each.outcome.error == REPLACED:
                assert invocation < max(write.invocation for write in self.writes)
            else:
                if output := after.get("output"):
                    assert output["location"] == output_location(invocation)
                assert after["status"] != "InProgress"

    @invariant()
    def no_task_waits_for_an_inference_that_has_ended_or_was_replaced(self) -> None:
        waiting = self.registered.keys() - self.completed
        assert all(self.registered[token] == self.last for token in waiting)
        assert not waiting or self.expected()["status"] == "InProgress"


@pytest.mark.usefixtures("aws")
def test_in_any_interleaving_a_task_completes_when_its_inference_has_ended(table_name):
    machine = type("OnTable", (CompletedTasks,), {"table_name": table_name})
    run_state_machine_as_test(
        machine, settings=settings(effort(short=12, long=100), stateful_step_count=12)
    )
