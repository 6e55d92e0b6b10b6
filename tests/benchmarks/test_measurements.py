import pytest

from benchmarks.measurements import markdown, table


def test_a_ratio_compares_medians_and_its_quartiles_compare_rounds():
    rounds = {"baseline": [10.0, 20.0, 30.0], "ours": [5.0, 5.0, 15.0]}

    baseline, ours = table("cpu", "CPU time", "ms", rounds, base="baseline").rows

    assert baseline.ratio is None
    assert ours.value.median == 5.0
    assert ours.ratio.median == 0.25
    assert (ours.ratio.low, ours.ratio.high) == (0.375, 0.5)


def test_a_contestant_without_a_value_in_a_round_is_an_error():
    with pytest.raises(ValueError, match="zip"):
        table("cpu", "CPU time", "ms", {"baseline": [1.0], "ours": [1.0, 2.0]}, base="baseline")


def test_a_table_is_formatted_as_markdown():
    text = markdown(table("cpu", "CPU time", "ms", {"baseline": [8.0], "ours": [2.0]}, "baseline"))

    assert "| ours | 2 | 2 to 2 | 0.25 | 0.25 to 0.25 |" in text.splitlines()
