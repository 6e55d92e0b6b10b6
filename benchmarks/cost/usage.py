"""Usage of results or reads by part, and its price per million."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from benchmarks.cost.prices import Item, Prices

Amounts: TypeAlias = Mapping[Item, float]


class Part(StrEnum):
    """A part of the price: a column of the tables."""

    SNS = "SNS"
    SQS = "SQS"
    LAMBDA_REQUESTS = "Lambda requests"
    LAMBDA_TIME = "Lambda time"
    S3 = "S3"
    TABLE = "table"
    LOGS = "logs"
    SUMMARIES = "summaries"
    EVENTS = "events"
    REGISTRATION = "registration"
    API = "API"


_PARTS = {
    Item.SNS_PUBLISH: Part.SNS,
    Item.SQS_REQUEST: Part.SQS,
    Item.LAMBDA_REQUEST: Part.LAMBDA_REQUESTS,
    Item.LAMBDA_GB_SECOND: Part.LAMBDA_TIME,
    Item.S3_GET: Part.S3,
    Item.S3_PUT: Part.S3,
    Item.WRITE_UNIT: Part.TABLE,
    Item.READ_UNIT: Part.TABLE,
    Item.LOGS_GB: Part.LOGS,
    Item.EVENT: Part.EVENTS,
    Item.HTTP_API_REQUEST: Part.API,
}


@dataclass(frozen=True)
class Usage:
    """Total usage of `number` results or reads."""

    number: int
    parts: Mapping[Part, Amounts]

    def per_million(self, prices: Prices) -> dict[Part, float]:
        """Return US dollars per million results."""
        return {
            part: 1e6 / self.number * sum(prices.usd[item] * each for item, each in amounts.items())
            for part, amounts in self.parts.items()
        }

    def times(self, factor: float) -> "Usage":
        """Multiply the usage of each result by a factor."""
        parts = {
            part: {item: factor * amount for item, amount in amounts.items()}
            for part, amounts in self.parts.items()
        }
        return Usage(self.number, parts)


def by_part(amounts: Amounts) -> dict[Part, Amounts]:
    """Assign each amount to the part of its service."""
    parts: defaultdict[Part, dict[Item, float]] = defaultdict(dict)
    for item, amount in amounts.items():
        parts[_PARTS[item]][item] = amount
    return dict(parts)


def total(amounts: Iterable[Amounts]) -> Amounts:
    sums: defaultdict[Item, float] = defaultdict(float)
    for each in amounts:
        for item, amount in each.items():
            sums[item] += amount
    return dict(sums)
