"""Which events are published while registrations, results and reconciliation come in any order."""

import json
from collections import Counter

import pytest
from hypothesis import settings
from hypothesis.stateful import invariant, run_state_machine_as_test

from inference_results.domain.changes.events import InferenceEvent, event_for_change
from inference_results.domain.record.change import Change
from tests.adapters.table.interleaving import Interleaving
from tests.support.effort import effort
from tests.support.events_on_bus import check_detail


class PublishedEvents(Interleaving):
    """Publishes the event of each step's change, as the stream reports it, and derives it again."""

    def __init__(self) -> None:
        super().__init__()
        self.before = {}
        self.published: list[InferenceEvent] = []

    @invariant()
    def each_change_of_status_has_one_event(self) -> None:
        before, after = self.before, self.read()
        self.before = after
        change = Change(sequence="1", made_at=0, before=before or None, after=after or None)
        event = event_for_change(change, custom_attributes=False)
        if event is None:
            assert before.get("status") == after.get("status")
            return
        assert event == event_for_change(change, custom_attributes=False)
        self.published.append(event)
        detail = json.loads(event.detail)
        check_detail(detail)
        assert detail["status"] == after["status"]
        assert detail.get("previous_status") == before.get("status")

    @invariant()
    def no_event_id_is_used_twice(self) -> None:
        counts = Counter(each.event_id for each in self.published)
        assert set(counts.values()) <= {1}


@pytest.mark.usefixtures("aws")
def test_any_interleaving_publishes_each_change_of_status_once(table_name):
    machine = type("OnTable", (PublishedEvents,), {"table_name": table_name})
    run_state_machine_as_test(
        machine, settings=settings(effort(short=12, long=100), stateful_step_count=12)
    )
