import json
import re
from dataclasses import asdict

import pytest

from benchmarks import waiting
from benchmarks.__main__ import _as_json
from benchmarks.figures.charts import charts
from benchmarks.figures.page import PAGE, PLOTS, fill, sections
from benchmarks.figures.saved_results import SavedResults, read_saved_results
from benchmarks.figures.tables import tables
from benchmarks.machine import about
from benchmarks.measurements import Part, Target, table

PER_RESULT = ("Powertools BatchProcessor, pydantic", "urllib3 and SigV4 alone", "record_result")
CASES = ("new_10", "new_100", "duplicate_10", "registered_10", "latency_10", "latency_100")
COLD_START_BASE = "boto3 and two clients"
COLD_START = (
    "empty handler",
    COLD_START_BASE,
    "record_result",
    "publish_events",
    "record_result, not compiled",
)
WAITING = (waiting.POLLING, waiting.SDK, waiting.API, waiting.ASYNC_API, waiting.TABLE)
READABLE = ("empty handler, until invoked", "one put_item", "record_result")


def rounds(names, first=8.0):
    """Three rounds: 8, 4 and 8 for the first name, 7, 3.5 and 7 for the second, and so on."""
    return {str(name): [first - at, (first - at) / 2, first - at] for at, name in enumerate(names)}


def per_result_part():
    cases = (
        table(f"{kind}_{case}", f"{kind}: {case}", "ms", rounds(PER_RESULT), PER_RESULT[0])
        for case in CASES
        for kind in ("cpu", "wall")
    )
    return Part(tuple(cases), (Target("CPU time, new_10", "x", 0.5, 0.75),))


def cold_start_part():
    starts = table("cold_start", "cold start", "ms", rounds(COLD_START, 400), COLD_START_BASE)
    longest = [{"module": "botocore.client", "own_ms": 12.34, "with_nested_ms": 56.78}]
    facts = {
        "bundle": {"zip_bytes": 1_230_000, "bytes": 4_560_000, "files": 1234},
        "imports": {"record_result": {"own_ms_by_package": {}, "longest": longest}},
    }
    return Part((starts,), (Target("cold start", "x", 0.85, 0.8),), facts)


def publish_to_readable_part():
    base = READABLE[0]
    return Part(
        (
            table("publish_to_readable", "from publish to readable", "ms", rounds(READABLE), base),
            table("publish_to_readable_ten", "ten at once", "ms", rounds(READABLE[::2]), base),
        )
    )


def waiting_part():
    """All contestants still wait for the expired inference, and the SDK for the failed one."""
    ends = [*range(100, 100 + len(waiting.SECONDS)), 200, 200]
    waits = {
        name: [waiting.Wait(calls, end + 2.0, waiting.OUTPUT) for end in ends[:-2]]
        for calls, name in enumerate(WAITING, 2)
    }
    still_waiting = waiting.Wait(40, None, waiting.STILL_WAITING)
    for name, of_contestant in waits.items():
        failed = waiting.Wait(3, 202.0, "InferenceFailed")
        of_contestant += [still_waiting if name == waiting.SDK else failed, still_waiting]
    return waiting.part_of(waits, ends)


def lists_part():
    query, sizes = "one by id", ("1,000 records", "100,000 records")
    units = {size: [0.5] for size in sizes}
    lists = (
        table("lists_time_0", query, "ms", rounds(sizes), sizes[0]),
        table("lists_units_0", query, "read units", units, sizes[0]),
    )
    facts = {query: {size: {"calls": at} for at, size in enumerate(sizes, 1)}}
    return Part(lists, facts=facts)


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
        "reads": {"one record, over HTTP": usage(API=1.0, table=0.125)},
        "waits": {
            f"{seconds} s, {client}": usage(S3=seconds * usd)
            for seconds in (60, 600)
            for client, usd in {"polling": 0.2, "Client on the table": 0.01}.items()
        },
        "idle_usd_per_month": 4.2,
        "targets": [{**asdict(Target("plain", "USD", 3.0, 1.5)), "met": True}],
    }


@pytest.fixture(scope="module")
def saved():
    parts = {
        "per_result": per_result_part(),
        "cold_start": cold_start_part(),
        "publish_to_readable": publish_to_readable_part(),
        "waiting": waiting_part(),
        "lists": lists_part(),
    }
    results = {name: {"about": about(), **_as_json(part)} for name, part in parts.items()}
    texts = json.dumps(results), json.dumps(cost()), json.dumps({"model": {"about": about()}})
    return SavedResults(*map(json.loads, texts))


def lines(saved, section):
    return tables(saved)[section].splitlines()


def test_the_page_shows_the_saved_results():
    page = PAGE.read_text()

    assert fill(page, sections(read_saved_results())) == page, "run `make figures`"


def test_the_page_links_every_file_of_its_folder():
    linked = re.findall(rf"\]\({PLOTS.name}/(.+?)\)", PAGE.read_text())

    assert sorted(linked) == sorted(each.name for each in PLOTS.glob("*"))


def test_text_outside_the_sections_is_kept():
    page = "Before.\n<!-- figures: a -->\nold\n<!-- end -->\nAfter.\n"
    filled = "Before.\n<!-- figures: a -->\n\nnew\n\n<!-- end -->\nAfter.\n"

    assert fill(page, {"a": "new"}) == fill(filled, {"a": "new"}) == filled
    assert "old" not in fill(page, {"a": ""})


@pytest.mark.parametrize("names", [[], ["a", "a"], ["a", "b"], ["b"]])
def test_a_missing_repeated_or_unknown_section_is_an_error(names):
    page = "".join(f"<!-- figures: {name} -->\n<!-- end -->\n" for name in names)

    with pytest.raises(ValueError, match="expected the sections a;"):
        fill(page, {"a": "new"})


def test_sections_without_results_are_empty():
    assert set(sections(SavedResults({}, {}, {})).values()) == {""}


def test_every_section_has_text_and_starts_with_its_plot(saved):
    texts = sections(saved)

    assert all(texts.values())
    plots = {name for name, text in texts.items() if text.startswith("![")}
    assert plots == set(charts(saved))


def test_a_cell_has_the_ratio_to_the_base_and_its_quartiles(saved):
    first, second = tables(saved)["processor"].split("\n\n")[:2]
    cell = "6 (0.75; 0.75 to 0.75)"

    assert f"| {PER_RESULT[0]} | 8 | 8 | 8 | 8 |" in first
    assert f"| **record_result** | {cell} | {cell} | {cell} | {cell} |" in first
    assert f"| **record_result** | {cell} | {cell} |" in second


def test_a_contestant_without_a_value_has_an_empty_cell(saved):
    assert "| one put_item | 7 (0.875; 0.875 to 0.875) |  |" in lines(saved, "readable")


def test_a_missed_target_shows_by_how_much(saved):
    targets = lines(saved, "targets")

    assert "| CPU time, new_10 | 0.5 x | 0.75 | **not met**: 50 % over |" in targets
    assert "| cold start | 0.85 x | 0.8 | met |" in targets
    assert "| plain | 3 USD | 1.5 | met |" in targets


def test_a_detected_failure_is_shown_with_its_delay(saved):
    rows, waits = lines(saved, "waiting"), "still waiting, 40 calls"

    assert f"| **{waiting.API}** | 2 | `InferenceFailed` after 2 s, 3 calls | {waits} |" in rows
    assert f"| {waiting.SDK} | 2 | {waits} | {waits} |" in rows


def test_a_figure_that_is_the_same_at_every_size_is_shown_once(saved):
    row = "| one by id | 1 / 2 | 0.5 | 8 | 7 (0.875; 0.875 to 0.875) |"

    assert row in lines(saved, "lists")


def test_a_part_of_the_price_that_a_variant_lacks_is_empty(saved):
    rows = lines(saved, "cost")

    assert rows[0] == "| USD per million results | SNS | SQS | registration | total |"
    assert "| plain, batch 10 | 0.500 | 0.100 |  | **0.60** |" in rows
    assert "| with registration, batch 10 | 0.500 | 0.100 | 6.250 | **6.85** |" in rows


def test_waits_have_one_row_per_client(saved):
    assert "| **Client on the table** | 0.6 | 6 |" in lines(saved, "waits")


def test_runs_on_the_same_machine_are_grouped(saved):
    about = lines(saved, "about")

    assert len([each for each in about if each.startswith("On ")]) == 1
    assert len([each for each in about if each.startswith("- ")]) == 7


def test_the_baselines_of_a_cold_start_are_lines_across_the_bars(saved):
    chart = charts(saved)["cold-start"]
    (panel,) = chart.panels

    assert panel.marks == {"empty handler": 400, COLD_START_BASE: 399}
    assert list(panel.bars) == ["record_result", "publish_events", "record_result, not compiled"]
    assert chart.ours == {"record_result", "publish_events"}


def test_every_other_plot_has_our_bars_and_baselines(saved):
    for name in ("processor", "batch", "readable", "waiting", "waits"):
        chart = charts(saved)[name]
        assert set() < chart.ours < set(chart.panels[0].bars)


def test_the_parts_of_a_price_add_up_to_its_total(saved):
    stacks = charts(saved)["cost"].stacks

    assert sum(stacks["with registration, batch 1"].values()) == pytest.approx(7.75)
