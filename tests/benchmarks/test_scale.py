import pytest

from benchmarks.assumptions import DYNAMODB_MS, S3_MS
from benchmarks.dynamodb_units import TABLE
from benchmarks.reviewed_template import indexes
from benchmarks.sample_items import completed_item, registered_item, with_submission
from benchmarks.scale.__main__ import shards, warm_throughput
from benchmarks.scale.durations import OVERHEAD_MS
from benchmarks.scale.load import RECOMMENDED, Load, Plan
from benchmarks.scale.model import (
    RECORDER_CONCURRENCY,
    calculate,
    messages_per_invocation,
    needed_concurrency,
)
from benchmarks.scale.partitions import hottest, index_heat
from benchmarks.scale.write_profiles import total_write_units, write_profiles
from inference_results.contract import Index
from infra.settings import Settings
from local.environment import ROOT

DOCUMENT = (ROOT / "docs" / "scale.md").read_text().splitlines()


def test_the_hottest_partition_takes_at_least_its_share_and_the_hottest_key():
    one_key = hottest({2500.0: 1}, partitions=40)
    many_keys = hottest({10.0: 1000}, partitions=4)

    assert (one_key.key, one_key.partition) == (2500, 2500)
    assert 2500 < many_keys.partition < 2900


def test_a_result_leaves_the_sparse_indexes_and_moves_in_by_endpoint():
    registered = registered_item()
    both = total_write_units([registered, with_submission(registered, completed_item())])
    first = total_write_units([registered])

    assert both[Index.BY_STATUS] - first[Index.BY_STATUS] == first[Index.BY_STATUS]
    assert both[Index.BY_ENDPOINT] == 3
    assert {each.name for each in indexes()} == set(Index)
    completed = write_profiles()["completed"]
    assert completed.units == {TABLE: 1, **dict.fromkeys(Index, 0), Index.BY_ENDPOINT: 1}


@pytest.mark.parametrize(
    ("rate", "settings", "messages"),
    [
        (100, {}, 1),
        (700, {}, 7),
        (10_000, {}, 10),
        (100, {"batch_size": 100, "batch_window_seconds": 1}, 20),
    ],
)
def test_messages_that_gather_are_shared_by_the_first_pollers(rate, settings, messages):
    assert messages_per_invocation(Load(rate), Plan(settings).all_settings) == messages


def test_the_needed_concurrency_follows_littles_law():
    settings = Plan().all_settings
    seconds = (OVERHEAD_MS + S3_MS + DYNAMODB_MS) / 1000

    assert needed_concurrency(Load(10), settings) == pytest.approx(10 * seconds, rel=0.1)
    assert needed_concurrency(Load(10_000), settings) > settings.maximum_concurrency


@pytest.mark.parametrize("rate", RECOMMENDED)
def test_recommended_settings_keep_every_partition_below_half_of_its_limit(rate):
    result = calculate(Load(rate), RECOMMENDED[rate])

    assert result.partitions_over_half == []
    assert result.first_limit.share <= 0.5


def test_the_document_has_the_recommended_settings():
    for name in ("maximum_concurrency", "workers", "shards"):
        (row,) = [line for line in DOCUMENT if line.startswith(f"| `{name}` |")]
        default = Settings.model_fields[name].default
        cells = [cell.strip() for cell in row.split("|")[2:-1]]
        documented = [default if "default" in cell else int(cell) for cell in cells]
        assert documented == [getattr(plan.all_settings, name) for plan in RECOMMENDED.values()]


@pytest.mark.parametrize("table", [shards(), warm_throughput()])
def test_the_document_has_the_calculated_tables(table):
    rows = table.splitlines()[2:]

    assert [row for row in rows if row not in DOCUMENT] == []


@pytest.mark.parametrize(
    ("registered", "title"), [(False, "hottest partition, of its"), (True, "the same, if [each")]
)
def test_the_document_has_the_hottest_partition_by_load(registered, title):
    (row,) = [line for line in DOCUMENT if line.startswith(f"| {title}")]
    hottest_partitions = [
        index_heat(Index.BY_ENDPOINT, Load(rate, registered=registered), plan).partition
        for rate, plan in RECOMMENDED.items()
    ]

    assert row.split("|")[2:-1] == [f" {each:,.0f} " for each in hottest_partitions]


def test_raising_the_first_limit_exposes_the_next_one():
    default = calculate(Load(10_000), Plan())
    raised = calculate(Load(10_000), Plan({"maximum_concurrency": 400}))

    assert default.first_limit.name == RECORDER_CONCURRENCY
    assert default.first_limit.raised_by == "maximum_concurrency"
    assert raised.first_limit.name == f"{Index.BY_ENDPOINT}: hottest partition"
