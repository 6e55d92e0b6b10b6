import pytest

from benchmarks.measurements import table


def test_a_ratio_compares_medians_and_its_quartiles_compare_rounds():
    rounds = {"baseline": [10.0, 20.0, 30.0], "ours": [5.0, 5.0, 15.0]}

    baseline, ours = table("cpu", "CPU time", "ms", rounds, base="baseline").rows

    assert baseline.ratio is None
    assert (ours.median, ours.rounds) == (5.0, 3)
    assert ours.ratio == (0.25, 0.375, 0.5)


def test_a_contestant_without_a_value_in_a_round_is_an_error():
    with pytest.raises(ValueError, match="zip"):
        table("cpu", "CPU time", "ms", {"baseline": [1.0], "ours": [1.0, 2.0]}, base="baseline")
