"""The price file, and what may be in it."""

import tomllib
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Final

PRICES: Final = Path(__file__).with_name("prices.toml")


class Item(StrEnum):
    """What AWS charges for, as the price file names it."""

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
    """US dollars for one of each item. `read_on`: when the prices were read."""

    read_on: date
    region: str
    usd: dict[Item, float]


def read_prices(path: Path = PRICES) -> Prices:
    """Raises KeyError if an item has no price, or ValueError if a price is of no item."""
    told = tomllib.loads(path.read_text())
    read_on, region = told.pop("date"), told.pop("region")
    if unknown := told.keys() - set(Item):
        raise ValueError(f"not counted by this program: {', '.join(sorted(unknown))}")
    usd = {item: told[item]["usd"] / told[item]["per"] for item in Item}
    return Prices(read_on, region, usd)
