"""Read the price file."""

import tomllib
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Final

PRICES: Final = Path(__file__).with_name("prices.toml")


class Item(StrEnum):
    """A billable item. The value is its section in the price file."""

    SNS_PUBLISH = "sns_publish"
    SQS_REQUEST = "sqs_request"
    LAMBDA_REQUEST = "lambda_request"
    LAMBDA_GB_SECOND = "lambda_gb_second"
    S3_GET = "s3_get"
    S3_PUT = "s3_put"
    WRITE_UNIT = "dynamodb_write_unit"
    READ_UNIT = "dynamodb_read_unit"
    LOGS_GB = "logs_gb"
    EVENT = "event"
    HTTP_API_REQUEST = "http_api_request"


@dataclass(frozen=True)
class Prices:
    """US dollars per unit of each item, and the date on which the prices were read."""

    read_on: date
    region: str
    usd: dict[Item, float]


def read_prices(path: Path = PRICES) -> Prices:
    """Raises KeyError if an item has no price, and ValueError if the file has unknown items."""
    sections = tomllib.loads(path.read_text())
    read_on, region = sections.pop("date"), sections.pop("region")
    if unknown := sections.keys() - set(Item):
        raise ValueError(f"{path.name}: unknown items: {', '.join(sorted(unknown))}")
    usd = {item: sections[item]["usd"] / sections[item]["per"] for item in Item}
    return Prices(read_on, region, usd)
