import pytest

from benchmarks.dynamodb_units import TABLE
from benchmarks.reviewed_template import indexes
from benchmarks.scale.model import (
    RECOMMENDED,
    RECORDER_CONCURRENCY,
    Load,
    Plan,
    calculate,
    needed_concurrency,
)
from benchmarks.scale.partitions import hottest, ids_by_shard
from benchmarks.scale.queue_simulation import Scenario, simulate
from benchmarks.scale.sample_items import (
    completed_item,
    inference_id,
    registered_item,
    with_submission,
)
from benchmarks.scale.write_profiles import total_write_units, write_profiles
from inference_results.adapters.table.index_keys import IndexKeys
from inference_results.contract import Attribute, Index
from infra.settings import Settings
from local.environment import ROOT

ONE_CALM_MINUTE = {"seconds": 60, "burst_at": 60, "outage_at": 60}


def test_the_model_assigns_ids_to_shards_like_the_product():
    ids = [inference_id(number) for number in range(20_000)]

    counts = ids_by_shard(ids, 16)

    keys = IndexKeys(inference_id=ids[0], endpoint_name="e", shards=16).by_endpoint("")
    assert keys[Attribute.ENDPOINT_SHARD] == f"{ids_by_shard(ids[:1], 16).popitem()[0]}#e"
    assert max(counts.values()) / len(ids) == pytest.approx(1 / 16, rel=0.1)


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


def test_littles_law_holds_under_normal_load():
    scenario = Scenario(500, seconds=200, burst_at=200, outage_at=200)

    queue = simulate(scenario, Plan().all_settings)

    invocations_per_second = scenario.rate / queue.normal_batch_size
    assert queue.normal_concurrency == pytest.approx(
        invocations_per_second * queue.normal_duration_seconds, rel=0.05
    )
    assert queue.messages + queue.backlog == pytest.approx(500 * 200, rel=0.02)


def test_messages_that_fail_in_an_outage_stay_in_flight_until_they_become_visible():
    scenario = Scenario(3000, seconds=300, burst_at=5, burst_seconds=0, outage_at=20)
    queue = simulate(scenario, Plan({"maximum_concurrency": 200}).all_settings)

    assert queue.peak_in_flight == 120_000
    assert 180 <= queue.outage_oldest_seconds < 200
    assert queue.recovery_seconds is not None


def test_messages_beyond_the_maximum_concurrency_wait():
    settings = Plan({"maximum_concurrency": 2}).all_settings
    queue = simulate(Scenario(1000, **ONE_CALM_MINUTE), settings)

    assert needed_concurrency(Load(1000), settings, 10) > 2
    assert queue.backlog > 30_000
    assert queue.normal_oldest_seconds > 5


@pytest.mark.parametrize("rate", RECOMMENDED)
def test_recommended_settings_keep_every_partition_below_half_of_its_limit(rate):
    result = calculate(Load(rate), RECOMMENDED[rate], Scenario(rate, **ONE_CALM_MINUTE))

    assert result.partitions_over_half == []
    assert result.first_limit.share <= 0.5


def test_the_document_has_the_recommended_settings():
    text = (ROOT / "docs" / "scale.md").read_text()
    for name in ("maximum_concurrency", "workers", "shards"):
        (row,) = [line for line in text.splitlines() if line.startswith(f"| `{name}` |")]
        default = Settings.model_fields[name].default
        cells = [cell.strip() for cell in row.split("|")[2:-1]]
        documented = [default if "default" in cell else int(cell) for cell in cells]
        assert documented == [getattr(plan.all_settings, name) for plan in RECOMMENDED.values()]


def test_raising_the_first_limit_exposes_the_next_one():
    load, scenario = Load(10_000), Scenario(10_000, **ONE_CALM_MINUTE)
    default = calculate(load, Plan(), scenario)
    raised = calculate(load, Plan({"maximum_concurrency": 400}), scenario)

    assert default.first_limit.name == RECORDER_CONCURRENCY
    assert default.first_limit.raised_by == "maximum_concurrency"
    assert raised.first_limit.name == f"{Index.BY_ENDPOINT}: hottest partition"
