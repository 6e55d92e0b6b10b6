"""What is announced while registrations, results and sweeps come in any order and number."""

import json
from collections import Counter

import pytest
from hypothesis import settings
from hypothesis.stateful import invariant, run_state_machine_as_test

from inference_results.domain.changes.events import InferenceEvent, event_for_change
from inference_results.domain.record.change import Change
from tests.adapters.table.test_any_interleaving import Interleaving
from tests.effort import effort
from tests.events_on_bus import check_detail


class Announced(Interleaving):
    """Each step's images are told as the stream tells them, and once more."""

    def __init__(self) -> None:
        super().__init__()
        self.before = {}
        self.told: list[InferenceEvent] = []

    @invariant()
    def a_change_of_status_is_announced_once(self) -> None:
        before, after = self.before, self.find()
        self.before = after
        change = Change(sequence="1", made_at=0, before=before or None, after=after or None)
        announcement = event_for_change(change, custom_attributes=False)
        if announcement is None:
            assert before.get("status") == after.get("status")
            return
        assert announcement == event_for_change(change, custom_attributes=False)
        self.told.append(announcement)
        detail = json.loads(announcement.detail)
        check_detail(detail)
        assert detail["status"] == after["status"]
        assert detail.get("previous_status") == before.get("status")

    @invariant()
    def no_id_is_announced_twice(self) -> None:
        times = Counter(each.event_id for each in self.told)
        assert set(times.values()) <= {1}


@pytest.mark.usefixtures("aws")
def test_any_interleaving_announces_each_change_of_a_status_once(table_name):
    machine = type("OnTable", (Announced,), {"table_name": table_name})
    run_state_machine_as_test(
        machine, settings=settings(effort(short=12, long=100), stateful_step_count=12)
    )
