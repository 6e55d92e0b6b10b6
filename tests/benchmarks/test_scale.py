import pytest

from benchmarks.dynamodb_units import TABLE
from benchmarks.reviewed_template import indexes
from benchmarks.scale.kinds import kinds, written
from benchmarks.scale.partitions import hottest, shares
from benchmarks.scale.plan import RECOMMENDED, RECORDERS, Load, Plan, calculate, needed_concurrency
from benchmarks.scale.queue import Hour, simulate
from benchmarks.scale.results import completed_item, ended, inference_id, registered_item
from inference_results.adapters.table.index_keys import IndexKeys
from inference_results.contract import Attribute, Index
from infra.settings import Settings
from local.environment import ROOT

MINUTE = {"seconds": 60, "burst_at": 60, "stop_at": 60}


def test_ids_are_spread_over_the_shards_as_the_product_spreads_them():
    ids = [inference_id(number) for number in range(20_000)]

    counted = shares(ids, 16)

    place = IndexKeys(inference_id=ids[0], endpoint_name="e", shards=16).by_endpoint("")
    assert place[Attribute.ENDPOINT_SHARD] == f"{shares(ids[:1], 16).popitem()[0]}#e"
    assert max(counted.values()) / len(ids) == pytest.approx(1 / 16, rel=0.1)


def test_the_hottest_partition_has_no_less_than_its_part_and_than_the_hottest_key():
    one_key = hottest({2500.0: 1}, partitions=40)
    many = hottest({10.0: 1000}, partitions=4)

    assert (one_key.key, one_key.partition) == (2500, 2500)
    assert 2500 < many.partition < 2900


def test_a_result_takes_its_record_out_of_the_sparse_indexes_and_moves_it_in_the_other():
    registered = registered_item()
    both = written([registered, ended(registered, completed_item())])
    first = written([registered])

    assert both[Index.BY_STATUS] - first[Index.BY_STATUS] == first[Index.BY_STATUS]
    assert both[Index.BY_ENDPOINT] == 3
    assert {each.name for each in indexes()} == set(Index)
    assert kinds()["completed"].units == {TABLE: 1, **dict.fromkeys(Index, 0), Index.BY_ENDPOINT: 1}


def test_littles_law_holds_in_calm_times():
    hour = Hour(500, seconds=200, burst_at=200, stop_at=200)

    seen = simulate(hour, Plan().all_settings)

    calls_a_second = hour.rate / seen.calm_batch
    assert seen.calm_concurrency == pytest.approx(
        calls_a_second * seen.calm_seconds_of_a_call, rel=0.05
    )
    assert seen.messages + seen.left == pytest.approx(500 * 200, rel=0.02)


def test_what_fails_in_a_stop_is_in_flight_until_it_is_visible_again():
    hour = Hour(3000, seconds=300, burst_at=5, burst_seconds=0, stop_at=20)
    seen = simulate(hour, Plan({"maximum_concurrency": 200}).all_settings)

    assert seen.peak_in_flight == 120_000
    assert 180 <= seen.stop_oldest < 200
    assert seen.recovered_after is not None


def test_more_than_the_concurrency_can_take_is_left_and_grows_old():
    settings = Plan({"maximum_concurrency": 2}).all_settings
    seen = simulate(Hour(1000, **MINUTE), settings)

    assert needed_concurrency(Load(1000), settings, 10) > 2
    assert seen.left > 30_000
    assert seen.calm_oldest > 5


@pytest.mark.parametrize("rate", RECOMMENDED)
def test_with_the_recommended_settings_no_partition_is_over_half_of_its_limit(rate):
    result = calculate(Load(rate), RECOMMENDED[rate], Hour(rate, **MINUTE))

    assert result.partitions_over_half == []
    assert result.first.share <= 0.5


def test_the_document_names_the_settings_that_the_model_recommends():
    text = (ROOT / "docs" / "scale.md").read_text()
    for name in ("maximum_concurrency", "workers", "shards"):
        (row,) = [line for line in text.splitlines() if line.startswith(f"| `{name}` |")]
        default = Settings.model_fields[name].default
        cells = [cell.strip() for cell in row.split("|")[2:-1]]
        written = [default if "default" in cell else int(cell) for cell in cells]
        assert written == [getattr(plan.all_settings, name) for plan in RECOMMENDED.values()]


def test_the_first_limit_is_found_and_a_setting_moves_it():
    load, hour = Load(10_000), Hour(10_000, **MINUTE)
    default = calculate(load, Plan(), hour)
    raised = calculate(load, Plan({"maximum_concurrency": 400}), hour)

    assert default.first.name == RECORDERS
    assert default.first.moved_by == "maximum_concurrency"
    assert raised.first.name == f"{Index.BY_ENDPOINT}: hottest partition"
