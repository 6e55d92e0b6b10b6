import pytest

from benchmarks import summary
from benchmarks.figures.page import PAGE, fill
from benchmarks.figures.sections import sections
from benchmarks.figures.tables import priced, side_by_side, targets
from benchmarks.measurements import Part, Target, table

ROUNDS = {"baseline": [8.0, 4.0, 8.0], "record_result": [6.0, 3.0, 6.0]}
CPU = table("cpu", "CPU time: new records", "ms", ROUNDS, "baseline")
WALL = table("wall", "duration: new records", "ms", {"baseline": [8.0]}, "baseline")


def test_the_page_shows_the_saved_summary():
    page = PAGE.read_text()

    assert fill(page, sections(summary.read())) == page, "run `make figures`"


def test_the_summary_has_at_most_500_lines():
    assert len(summary.SUMMARY.read_text().splitlines()) <= 500


def test_saved_results_are_read_back_and_other_parts_are_kept(tmp_path):
    path = tmp_path / "summary.json"
    part = Part((CPU,), (Target("CPU time", "x", 0.5, 0.75),), {"calls": [1.0, 1 / 3]})

    summary.save("per_result", part, path)
    summary.save("lists", Part(), path)

    saved = summary.read(path)
    assert (saved["per_result"].part, saved["lists"].part) == (part, Part())
    assert "Python" in saved["lists"].environment


def test_text_outside_the_sections_is_kept():
    page = "Before.\n<!-- figures: a -->\nold\n<!-- end -->\nAfter.\n"
    filled = "Before.\n<!-- figures: a -->\n\nnew\n\n<!-- end -->\nAfter.\n"

    assert fill(page, {"a": "new"}) == fill(filled, {"a": "new"}) == filled


@pytest.mark.parametrize("names", [[], ["a", "a"], ["a", "b"]])
def test_a_missing_repeated_or_unknown_section_is_an_error(names):
    page = "".join(f"<!-- figures: {name} -->\n<!-- end -->\n" for name in names)

    with pytest.raises(ValueError, match="expected the sections a;"):
        fill(page, {"a": "new"})


def test_a_cell_has_the_ratio_to_the_base_and_its_quartiles():
    lines = side_by_side([CPU, WALL]).splitlines()

    assert lines[0] == "|  | new records, ms (3 rounds) | new records, ms (1 rounds) |"
    assert lines[2] == "| baseline | 8 | 8 |"
    assert lines[3] == "| **record_result** | 6 (0.75; 0.75 to 0.75) |  |"


def test_a_missed_target_shows_by_how_much():
    lines = targets([Target("CPU time", "x", 0.5, 0.75), Target("start", "x", 0.85, 0.8)])

    assert "| CPU time | 0.5 x | 0.75 | **not met**: 50 % over |" in lines
    assert "| start | 0.85 x | 0.8 | met |" in lines


def test_prices_add_up_to_the_total_and_a_missing_part_is_empty():
    usd = {"plain": {"SNS": 0.5, "SQS": 0.1}, "registered": {"SQS": 0.1, "registration": 6.25}}
    lines = priced("USD per million results", usd).splitlines()

    assert lines[0] == "| USD per million results | SNS | SQS | registration | total |"
    assert lines[2] == "| plain | 0.500 | 0.100 |  | **0.60** |"
    assert lines[3] == "| registered |  | 0.100 | 6.250 | **6.35** |"
