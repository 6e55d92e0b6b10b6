import pytest

from benchmarks.measured import markdown, table


def test_a_ratio_is_that_of_the_medians_and_its_spread_that_within_the_rounds():
    rounds = {"other": [10.0, 20.0, 30.0], "ours": [5.0, 5.0, 15.0]}

    other, ours = table("cpu", "processor time", "ms", rounds, base="other").rows

    assert other.ratio is None
    assert ours.value.median == 5.0
    assert ours.ratio.median == 0.25
    assert (ours.ratio.low, ours.ratio.high) == (0.375, 0.5)


def test_every_contestant_has_a_value_in_every_round():
    with pytest.raises(ValueError, match="zip"):
        table("cpu", "processor time", "ms", {"other": [1.0], "ours": [1.0, 2.0]}, base="other")


def test_a_table_reads_as_markdown():
    text = markdown(table("cpu", "processor time", "ms", {"other": [8.0], "ours": [2.0]}, "other"))

    assert "| ours | 2 | 2 to 2 | 0.25 | 0.25 to 0.25 |" in text.splitlines()
