"""What the stack deploys, as far as it limits: read from the template that was last reviewed."""

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
class Reader:
    """Of the stream: most changes of a call, and how long they are gathered (seconds)."""

    batch_size: int
    window_seconds: int
    batches_at_a_time: int
    """Of one shard: ParallelizationFactor."""


@cache
def _resources() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(_TEMPLATE.read_text())["Resources"]
    return found


def _of_type(kind: str) -> list[dict[str, Any]]:
    return [each["Properties"] for each in _resources().values() if each["Type"] == kind]


@cache
def memory_megabytes(service: Service) -> int:
    """Of a function. Lambda gives the processor by it."""
    return max(
        int(each["MemorySize"])
        for each in _of_type("AWS::Lambda::Function")
        if str(each["Handler"]).endswith(f".{service}.handler")
    )


@cache
def visibility_seconds() -> int:
    """For so long a message that failed stays in flight, without a batching window."""
    return max(int(each.get("VisibilityTimeout", 0)) for each in _of_type("AWS::SQS::Queue"))


@cache
def indexes() -> tuple[Index, ...]:
    """Of the table of inferences."""
    (table,) = [it for it in _of_type(_TABLE) if "GlobalSecondaryIndexes" in it]
    return indexes_of(table)


@cache
def reader(service: Service) -> Reader:
    """How a function reads the stream."""
    functions = {
        name
        for name, each in _resources().items()
        if each["Type"] == "AWS::Lambda::Function"
        and each["Properties"]["Handler"].endswith(f".{service}.handler")
    }
    (mapping,) = [
        each
        for each in _of_type("AWS::Lambda::EventSourceMapping")
        if each["FunctionName"]["Ref"] in functions
    ]
    return Reader(
        batch_size=mapping["BatchSize"],
        window_seconds=mapping.get("MaximumBatchingWindowInSeconds", 0),
        batches_at_a_time=mapping.get("ParallelizationFactor", 1),
    )
