import json
import re
from dataclasses import asdict

import pytest

from benchmarks import waiting
from benchmarks.__main__ import _as_json
from benchmarks.figures.charts import charts
from benchmarks.figures.found import Found, read_found
from benchmarks.figures.page import PAGE, PLOTS, fill, written
from benchmarks.figures.tables import parts
from benchmarks.machine import about
from benchmarks.measured import Part, Target, table

PER_RESULT = ("Powertools BatchProcessor, pydantic", "urllib3 and SigV4 alone", "record_result")
CASES = ("first_10", "first_100", "duplicate_10", "registered_10", "waiting_10", "waiting_100")
BASE_OF_COLD_START = "boto3 and two clients"
COLD_START = (
    "an empty handler",
    BASE_OF_COLD_START,
    "record_result",
    "publish_events",
    "record_result, not compiled",
)
WAITING = (waiting.POLLING, waiting.SDK, waiting.API, waiting.ASYNC_API, waiting.TABLE)
READABLE = ("a handler that does nothing, invoked", "one put_item", "record_result")


def rounds(names, first=8.0):
    """The first takes 8, the second 7, and so on; a round of three takes half as long."""
    return {str(name): [first - at, (first - at) / 2, first - at] for at, name in enumerate(names)}


def results_of_per_result():
    tables = (
        table(f"{kind}_{case}", f"{kind}: {case}", "ms", rounds(PER_RESULT), PER_RESULT[0])
        for case in CASES
        for kind in ("cpu", "wall")
    )
    return Part(tuple(tables), (Target("processor time, first_10", "x", 0.5, 0.75),))


def results_of_cold_start():
    starts = table("cold_start", "cold start", "ms", rounds(COLD_START, 400), BASE_OF_COLD_START)
    longest = [{"module": "botocore.client", "own_ms": 12.34, "with_nested_ms": 56.78}]
    facts = {
        "bundle": {"zip_bytes": 1_230_000, "bytes": 4_560_000, "files": 1234},
        "imports": {"record_result": {"own_ms_by_package": {}, "longest": longest}},
    }
    return Part((starts,), (Target("cold start", "x", 0.85, 0.8),), facts)


def results_of_readable():
    base = READABLE[0]
    return Part(
        (
            table("readable", "from publish to readable", "ms", rounds(READABLE), base),
            table("readable_ten", "ten at once", "ms", rounds(READABLE[::2]), base),
        )
    )


def results_of_waiting():
    """The second waiter does not learn of a failure, and neither does of an expiry."""
    ends = [*range(100, 100 + len(waiting.SECONDS)), 200, 200]
    waited = {
        name: [waiting.Waited(calls, end + 2.0, waiting.OUTPUT) for end in ends[:-2]]
        for calls, name in enumerate(WAITING, 2)
    }
    still = waiting.Waited(40, None, waiting.STILL_WAITING)
    for name, of_one in waited.items():
        knows = waiting.Waited(3, 202.0, "InferenceFailed")
        of_one += [still if name == waiting.SDK else knows, still]
    return waiting.part_of(waited, ends)


def results_of_lists():
    question, sizes = "one by its id", ("1,000 records", "100,000 records")
    units = {size: [0.5] for size in sizes}
    tables = (
        table("lists_time_0", question, "ms", rounds(sizes), sizes[0]),
        table("lists_units_0", question, "read units", units, sizes[0]),
    )
    facts = {question: {size: {"calls": at} for at, size in enumerate(sizes, 1)}}
    return Part(tables, facts=facts)


def usage(**usd):
    return {"usd_per_million": {**usd, "total": sum(usd.values())}}


def cost():
    names = ("plain", "with registration")
    return {
        "about": about(),
        "prices": {"date": "2026-11-28", "region": "us-east-1"},
        "results": [
            {"name": name, "batch": batch, **usage(SNS=0.5, SQS=1 / batch, **more)}
            for name, more in zip(names, ({}, {"registration": 6.25}), strict=True)
            for batch in (1, 10, 100)
        ],
        "reads": {"a record, over the API": usage(API=1.0, table=0.125)},
        "waits": {
            f"{seconds} s, {who}": usage(S3=seconds * usd)
            for seconds in (60, 600)
            for who, usd in {"the loop": 0.2, "this client on the table": 0.01}.items()
        },
        "idle_usd_per_month": 4.2,
        "targets": [{**asdict(Target("plain", "USD", 3.0, 1.5)), "met": True}],
    }


@pytest.fixture(scope="module")
def found():
    results = {
        "per_result": results_of_per_result(),
        "cold_start": results_of_cold_start(),
        "readable": results_of_readable(),
        "waiting": results_of_waiting(),
        "lists": results_of_lists(),
    }
    with_about = {name: {"about": about(), **_as_json(part)} for name, part in results.items()}
    texts = json.dumps(with_about), json.dumps(cost()), json.dumps({"model": {"about": about()}})
    return Found(*map(json.loads, texts))


def lines(found, name):
    return parts(found)[name].splitlines()


def test_the_page_shows_what_was_measured_last():
    """Otherwise: `make figures`."""
    page = PAGE.read_text()

    assert fill(page, written(read_found())) == page


def test_the_page_shows_every_plot():
    shown = re.findall(rf"\]\({PLOTS.name}/(.+?)\)", PAGE.read_text())

    assert sorted(shown) == sorted(each.name for each in PLOTS.glob("*"))


def test_text_by_hand_stays():
    page = "Before.\n<!-- figures: a -->\nold\n<!-- end -->\nAfter.\n"
    filled = "Before.\n<!-- figures: a -->\n\nnew\n\n<!-- end -->\nAfter.\n"

    assert fill(page, {"a": "new"}) == fill(filled, {"a": "new"}) == filled
    assert "old" not in fill(page, {"a": ""})


@pytest.mark.parametrize("names", [[], ["a", "a"], ["a", "b"], ["b"]])
def test_every_part_has_one_place(names):
    page = "".join(f"<!-- figures: {name} -->\n<!-- end -->\n" for name in names)

    with pytest.raises(ValueError, match="there are a"):
        fill(page, {"a": "new"})


def test_what_was_not_measured_is_empty():
    assert set(written(Found({}, {}, {})).values()) == {""}


def test_every_part_is_filled_and_begins_with_its_plot(found):
    texts = written(found)

    assert all(texts.values())
    plots = {name for name, text in texts.items() if text.startswith("![")}
    assert plots == set(charts(found))


def test_a_cell_has_the_ratio_to_the_base_and_its_quartiles(found):
    first, second = parts(found)["processor"].split("\n\n")[:2]
    cell = "6 (0.75; 0.75 to 0.75)"

    assert f"| {PER_RESULT[0]} | 8 | 8 | 8 | 8 |" in first
    assert f"| **record_result** | {cell} | {cell} | {cell} | {cell} |" in first
    assert f"| **record_result** | {cell} | {cell} |" in second


def test_who_was_not_measured_in_a_case_has_an_empty_cell(found):
    assert "| one put_item | 7 (0.875; 0.875 to 0.875) |  |" in lines(found, "readable")


def test_a_target_that_is_not_met_tells_by_how_much(found):
    targets = lines(found, "targets")

    assert "| processor time, first_10 | 0.5 x | 0.75 | **not met**: 50 % over |" in targets
    assert "| cold start | 0.85 x | 0.8 | met |" in targets
    assert "| plain | 3 USD | 1.5 | met |" in targets


def test_who_waits_still_is_told_from_who_learned_of_the_end(found):
    rows, still = lines(found, "waiting"), "waits still, 40 calls"

    assert f"| **{waiting.API}** | 2 | `InferenceFailed` after 2 s, 3 calls | {still} |" in rows
    assert f"| {waiting.SDK} | 2 | {still} | {still} |" in rows


def test_figures_of_lists_stand_once_if_they_do_not_grow(found):
    row = "| one by its id | 1 / 2 | 0.5 | 8 | 7 (0.875; 0.875 to 0.875) |"

    assert row in lines(found, "lists")


def test_a_part_of_the_price_that_a_variant_lacks_is_empty(found):
    rows = lines(found, "cost")

    assert rows[0] == "| USD per million results | SNS | SQS | registration | total |"
    assert "| plain, batch 10 | 0.500 | 0.100 |  | **0.60** |" in rows
    assert "| with registration, batch 10 | 0.500 | 0.100 | 6.250 | **6.85** |" in rows


def test_waits_stand_by_who_waits(found):
    assert "| **this client on the table** | 0.6 | 6 |" in lines(found, "waits")


def test_runs_on_the_same_machine_stand_together(found):
    about = lines(found, "about")

    assert len([each for each in about if each.startswith("On ")]) == 1
    assert len([each for each in about if each.startswith("- ")]) == 7


def test_the_bases_of_a_cold_start_are_lines_across_the_bars(found):
    chart = charts(found)["cold-start"]
    (panel,) = chart.panels

    assert panel.marks == {"an empty handler": 400, BASE_OF_COLD_START: 399}
    assert list(panel.bars) == ["record_result", "publish_events", "record_result, not compiled"]
    assert chart.ours == {"record_result", "publish_events"}


def test_every_other_plot_has_bars_of_ours_and_of_others(found):
    for name in ("processor", "batch", "readable", "waiting", "waits"):
        chart = charts(found)[name]
        assert set() < chart.ours < set(chart.panels[0].bars)


def test_the_parts_of_a_price_add_up_to_its_total(found):
    stacks = charts(found)["cost"].stacks

    assert sum(stacks["with registration, batch 1"].values()) == pytest.approx(7.75)
