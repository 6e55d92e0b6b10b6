"""When tasks are answered while registrations, results and sweeps come in any order and number."""

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
from tests.adapters.table.test_any_interleaving import INVOCATIONS, Interleaving
from tests.effort import effort
from tests.samples import PREFIX
from tests.writing import NOTES, Registration

TOKENS = st.sampled_from(["one", "two", "three"])


class Answered(Interleaving):
    """Each step's images are told as the stream tells them."""

    def __init__(self) -> None:
        super().__init__()
        self.before = {}
        self.answered: set[str] = set()
        self.given: dict[str, int] = {}

    @rule(invocation=INVOCATIONS, note=NOTES, name=TOKENS)
    def wait_for(self, invocation: int, note: str, name: str) -> None:
        token = f"{invocation}-{name}"
        try:
            self.write(Registration(invocation, note, token))
        except InvalidParameter:
            assert invocation < self.last
        else:
            self.given[token] = invocation

    @invariant()
    def a_task_is_answered_once_its_inference_has_ended_and_never_before(self) -> None:
        before, after = self.before, self.find()
        self.before = after
        change = Change(sequence="1", made_at=0, before=before or None, after=after or None)
        for each in completions_for_change(change, custom_attributes=False):
            self.answered.add(each.token)
            if isinstance(each.outcome, TaskFailure) and each.outcome.error == REPLACED:
                assert self.given[each.token] < max(told.invocation for told in self.events)
            else:
                if output := after.get("output"):
                    assert output["location"] == f"{PREFIX}{self.given[each.token]}.out"
                assert after["status"] != "InProgress"

    @invariant()
    def nobody_waits_for_what_has_ended_or_is_gone(self) -> None:
        waiting = self.given.keys() - self.answered
        assert all(self.given[token] == self.last for token in waiting)
        assert not waiting or self.expected()["status"] == "InProgress"


@pytest.mark.usefixtures("aws")
def test_in_any_interleaving_a_task_is_answered_when_its_inference_has_ended(table_name):
    machine = type("OnTable", (Answered,), {"table_name": table_name})
    run_state_machine_as_test(
        machine, settings=settings(effort(short=12, long=100), stateful_step_count=12)
    )
