import json
import re
from collections import Counter
from types import SimpleNamespace

import pytest

from benchmarks.cost.alternatives import Polling
from benchmarks.cost.invocations import Invocations, other_calls
from benchmarks.cost.prices import PRICES, Item, read_prices
from benchmarks.cost.reads import _over_api
from benchmarks.cost.usage import Part, Usage, by_part, together
from inference_results.contract import Service


def test_every_item_has_a_price_with_its_unit_and_where_it_was_read():
    prices = read_prices()

    assert prices.region == "us-east-1"
    assert prices.read_on.isoformat() > "2026"
    assert set(prices.usd) == set(Item)
    assert all(0 < usd < 1 for usd in prices.usd.values())
    assert (
        PRICES.read_text().count("\nunit = ") == PRICES.read_text().count("\nread = ") == len(Item)
    )


def test_what_is_priced_stands_in_a_part_of_the_table():
    parts = by_part(dict.fromkeys(Item, 1.0))

    assert {item for amounts in parts.values() for item in amounts} == set(Item)


def test_a_price_of_nothing_that_is_counted_is_refused(tmp_path):
    file = tmp_path / "prices.toml"
    file.write_text(PRICES.read_text() + "\n[carrier_pigeon]\nusd = 1\nper = 1\n")

    with pytest.raises(ValueError, match="carrier_pigeon"):
        read_prices(file)


def test_a_missing_price_is_refused(tmp_path):
    file = tmp_path / "prices.toml"
    file.write_text(re.sub(r"\[s3_get\].*?(?=\n\[)", "", PRICES.read_text(), flags=re.DOTALL))

    with pytest.raises(KeyError, match="s3_get"):
        read_prices(file)


def test_a_million_results_cost_what_those_counted_cost_times_a_million():
    prices = read_prices()
    of_batches = by_part({Item.SNS_PUBLISH: 200, Item.SQS_REQUEST: 40})
    usage = Usage(200, {**of_batches, Part.SUMMARIES: {Item.WRITE_UNIT: 20, Item.LOGS_GB: 2e-6}})

    assert usage.per_million(prices) == pytest.approx(
        {Part.SNS: 0.5, Part.SQS: 0.08, Part.SUMMARIES: 0.0625 + 0.005}
    )
    assert usage.per_thousand()[Part.SQS] == {Item.SQS_REQUEST: 200}


def test_amounts_add_up():
    parts = [{Item.S3_GET: 1, Item.EVENT: 2}, {Item.S3_GET: 3}]

    assert together(parts) == {Item.S3_GET: 4, Item.EVENT: 2}


def test_the_price_file_may_name_another_price(tmp_path):
    file = tmp_path / "prices.toml"
    file.write_text(PRICES.read_text().replace("usd = 0.50\nper = 1_000_000", "usd = 7\nper = 10"))

    assert read_prices(file).usd[Item.SNS_PUBLISH] == 0.7


def invocations(**changes):
    told = {
        "durations_ms": (10.0, 20.5),
        "processor_seconds": 0.01,
        "memory_mb": 512,
        "log": ("START", "END"),
        "calls": Counter(),
        "entries": Counter(),
    }
    return Invocations(**(told | changes))


def test_what_a_function_works_takes_longer_with_its_share_of_a_processor():
    assert invocations(processor_seconds=0).billed_seconds == pytest.approx(0.032)
    assert invocations().billed_seconds == pytest.approx(0.032 + 0.01 * (1769 / 512 - 1))
    assert invocations(memory_mb=2048).billed_seconds == pytest.approx(0.032)
    assert invocations().amounts()[Item.LAMBDA_REQUEST] == 2


def test_each_line_of_a_log_costs_its_end_and_26_bytes_more():
    assert invocations(log=("ä", "")).log_bytes == (2 + 1 + 26) + (1 + 26)


def test_a_call_without_a_price_is_refused():
    known = Counter({("s3", "GetObject"): 3, ("dynamodb", "UpdateItem"): 1})
    assert other_calls(invocations(calls=known)) == {Item.S3_GET: 3}

    with pytest.raises(ValueError, match="TransactWriteItems"):
        other_calls(invocations(calls=Counter({("dynamodb", "TransactWriteItems"): 1})))


def test_a_read_over_the_api_costs_its_other_calls_and_none_without_a_price():
    def usage(*calls):
        used = invocations(calls=Counter(calls))
        function = SimpleNamespace(during=lambda work, invocations: used)
        return _over_api(SimpleNamespace(functions={Service.STATUS_API: function}), None, 2, 1, "")

    of_priced = usage(("dynamodb", "Query"), ("s3", "GetObject"))
    assert of_priced.parts[Part.S3] == {Item.S3_GET: 1}
    assert of_priced.parts[Part.TABLE] == {Item.READ_UNIT: 2}

    with pytest.raises(ValueError, match="ssm GetParameter"):
        usage(("dynamodb", "Query"), ("ssm", "GetParameter"))


@pytest.mark.parametrize(("ends_after", "requests"), [(0, 1), (1, 2), (15, 2), (16, 3), (60, 5)])
def test_polling_asks_until_it_finds_the_end(ends_after, requests):
    usage = Polling("", 15, 1, reads_after=False).usage(ends_after)

    assert usage.parts == {Part.S3: {Item.S3_GET: requests}}


def test_polling_of_two_objects_asks_twice_and_reads_once():
    usage = Polling("", 15, 2, reads_after=True).usage(60)

    assert json.loads(json.dumps(usage.per_thousand())) == {"S3": {"s3_get": 11_000}}


def test_a_wait_of_three_questions_uses_three_times_as_much():
    usage = Usage(2, {Part.API: {Item.HTTP_API_REQUEST: 2}}).times(3)

    assert usage.per_thousand() == {Part.API: {Item.HTTP_API_REQUEST: 3000}}
