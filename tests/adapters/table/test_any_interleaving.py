"""Registrations, results and reconciliation of one id, in any order, compared with a model."""

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.adapters.table.interleaving import Interleaving
from tests.support.effort import effort


@pytest.mark.usefixtures("aws")
def test_any_interleaving_leaves_the_record_of_the_model(table_name):
    machine = type("OnTable", (Interleaving,), {"table_name": table_name})
    run_state_machine_as_test(
        machine, settings=settings(effort(short=12, long=100), stateful_step_count=10)
    )
