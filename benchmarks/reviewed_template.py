"""Limits and sizes that the stack deploys, read from the last reviewed template."""

from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import yaml  # type: ignore[import-untyped]

from benchmarks.dynamodb_units import Index, indexes_of
from inference_results.contract import Service
from local.environment import ROOT

_TEMPLATE: Final = ROOT / "infra" / "templates" / "InferenceResults.yaml"
_TABLE: Final = "AWS::DynamoDB::GlobalTable"


@dataclass(frozen=True)
class StreamMapping:
    """The event source mapping between the table's stream and a function."""

    batch_size: int
    window_seconds: int
    batches_at_a_time: int
    """Per shard: ParallelizationFactor."""


@cache
def _resources() -> dict[str, Any]:
    resources: dict[str, Any] = yaml.safe_load(_TEMPLATE.read_text())["Resources"]
    return resources


def _of_type(kind: str) -> list[dict[str, Any]]:
    return [each["Properties"] for each in _resources().values() if each["Type"] == kind]


def _function(service: Service) -> dict[str, Any]:
    """Return the first function of a service, which may have several."""
    handler = f"functions.{service}.handler"
    return next(it for it in _of_type("AWS::Lambda::Function") if it["Handler"] == handler)


@cache
def memory_mb(service: Service) -> int:
    """Return a function's memory size, which decides its share of a CPU."""
    return int(_function(service)["MemorySize"])


def variables_of(service: Service) -> dict[str, Any]:
    """Return a function's environment variables, with references."""
    variables: dict[str, Any] = _function(service)["Environment"]["Variables"]
    return variables


@cache
def indexes() -> tuple[Index, ...]:
    """Return the indexes of the inferences table."""
    (table,) = [it for it in _of_type(_TABLE) if "GlobalSecondaryIndexes" in it]
    return indexes_of(table)


@cache
def stream_mapping(service: Service) -> StreamMapping:
    (mapping,) = [
        each
        for each in _of_type("AWS::Lambda::EventSourceMapping")
        if _resources()[each["FunctionName"]["Ref"]]["Properties"] == _function(service)
    ]
    return StreamMapping(
        batch_size=mapping["BatchSize"],
        window_seconds=mapping.get("MaximumBatchingWindowInSeconds", 0),
        batches_at_a_time=mapping.get("ParallelizationFactor", 1),
    )
