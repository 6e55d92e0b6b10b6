import re
from collections import Counter
from types import SimpleNamespace

import pytest

from benchmarks.cost.invocations import Invocations, other_calls, sqs_requests
from benchmarks.cost.prices import PRICES, Item, read_prices
from benchmarks.cost.reads import _over_http
from benchmarks.cost.s3_polling import Polling
from benchmarks.cost.usage import Part, Usage, by_part, total
from inference_results.contract import Service


def test_every_item_has_a_price_with_a_unit_and_a_source():
    prices = read_prices()

    assert prices.region == "us-east-1"
    assert prices.read_on.isoformat() > "2026"
    assert set(prices.usd) == set(Item)
    assert all(0 < usd < 1 for usd in prices.usd.values())
    assert (
        PRICES.read_text().count("\nunit = ") == PRICES.read_text().count("\nread = ") == len(Item)
    )


def test_every_item_belongs_to_a_part_of_the_price():
    parts = by_part(dict.fromkeys(Item, 1.0))

    assert {item for amounts in parts.values() for item in amounts} == set(Item)


def test_a_price_of_an_unknown_item_is_an_error(tmp_path):
    file = tmp_path / "prices.toml"
    file.write_text(PRICES.read_text() + "\n[carrier_pigeon]\nusd = 1\nper = 1\n")

    with pytest.raises(ValueError, match="carrier_pigeon"):
        read_prices(file)


def test_a_missing_price_is_an_error(tmp_path):
    file = tmp_path / "prices.toml"
    file.write_text(re.sub(r"\[s3_get\].*?(?=\n\[)", "", PRICES.read_text(), flags=re.DOTALL))

    with pytest.raises(KeyError, match="s3_get"):
        read_prices(file)


def test_usage_is_scaled_to_a_million_results():
    prices = read_prices()
    queues = by_part({Item.SNS_PUBLISH: 200, Item.SQS_REQUEST: 40})
    usage = Usage(200, {**queues, Part.SUMMARIES: {Item.WRITE_UNIT: 20, Item.LOGS_GB: 2e-6}})

    assert usage.per_million(prices) == pytest.approx(
        {Part.SNS: 0.5, Part.SQS: 0.08, Part.SUMMARIES: 0.0625 + 0.005}
    )


def test_amounts_add_up():
    parts = [{Item.S3_GET: 1, Item.EVENT: 2}, {Item.S3_GET: 3}]

    assert total(parts) == {Item.S3_GET: 4, Item.EVENT: 2}


def test_prices_can_be_edited(tmp_path):
    file = tmp_path / "prices.toml"
    file.write_text(PRICES.read_text().replace("usd = 0.50\nper = 1_000_000", "usd = 7\nper = 10"))

    assert read_prices(file).usd[Item.SNS_PUBLISH] == 0.7


def invocations(**changes):
    defaults = {
        "durations_ms": (10.0, 20.5),
        "cpu_seconds": 0.01,
        "memory_mb": 512,
        "log": ("START", "END"),
        "calls": Counter(),
    }
    return Invocations(**(defaults | changes))


def test_cpu_time_takes_longer_with_a_share_of_a_cpu():
    assert invocations(cpu_seconds=0).billed_seconds == pytest.approx(0.032)
    assert invocations().billed_seconds == pytest.approx(0.032 + 0.01 * (1769 / 512 - 1))
    assert invocations(memory_mb=2048).billed_seconds == pytest.approx(0.032)
    assert invocations().amounts()[Item.LAMBDA_REQUEST] == 2


def test_each_log_event_adds_a_line_end_and_26_bytes():
    assert invocations(log=("ä", "")).log_bytes == (2 + 1 + 26) + (1 + 26)


@pytest.mark.parametrize(
    ("bodies", "requests"), [(["x"], 2), (["x"] * 10, 2), (["x"] * 11, 4), (["x" * 7000] * 10, 3)]
)
def test_a_batch_is_received_and_deleted_by_ten_and_received_by_64_kb(bodies, requests):
    assert sqs_requests(bodies) == requests


def test_a_call_without_a_price_is_an_error():
    known = Counter({("s3", "GetObject"): 3, ("dynamodb", "UpdateItem"): 1})
    assert other_calls(invocations(calls=known)) == {Item.S3_GET: 3}

    with pytest.raises(ValueError, match="TransactWriteItems"):
        other_calls(invocations(calls=Counter({("dynamodb", "TransactWriteItems"): 1})))


def test_a_read_over_http_includes_the_other_calls_of_the_function():
    def usage(*calls):
        used = invocations(calls=Counter(calls))
        function = SimpleNamespace(measure=lambda work, invocations: used)
        return _over_http(SimpleNamespace(functions={Service.STATUS_API: function}), None, 2, 1, "")

    priced = usage(("dynamodb", "Query"), ("s3", "GetObject"))
    assert priced.parts[Part.S3] == {Item.S3_GET: 1}
    assert priced.parts[Part.TABLE] == {Item.READ_UNIT: 2}

    with pytest.raises(ValueError, match="ssm GetParameter"):
        usage(("dynamodb", "Query"), ("ssm", "GetParameter"))


@pytest.mark.parametrize(("ends_after", "requests"), [(0, 1), (1, 2), (15, 2), (16, 3), (60, 5)])
def test_polling_sends_requests_until_the_end(ends_after, requests):
    usage = Polling("", 15, 1, reads_after=False).usage(ends_after)

    assert usage.parts == {Part.S3: {Item.S3_GET: requests}}


def test_polling_two_objects_doubles_the_requests_but_not_the_final_read():
    usage = Polling("", 15, 2, reads_after=True).usage(60)

    assert usage.parts == {Part.S3: {Item.S3_GET: 11}}


def test_usage_can_be_multiplied():
    usage = Usage(2, {Part.API: {Item.HTTP_API_REQUEST: 2}}).times(3)

    assert usage.parts == {Part.API: {Item.HTTP_API_REQUEST: 6}}
