"""AWS's limits with their sources: us-east-1 in November 2026. Other regions have lower limits."""

from dataclasses import dataclass
from typing import Final

_DOCS: Final = "https://docs.aws.amazon.com"


@dataclass(frozen=True)
class Limit:
    """AWS's default limit, in `unit`. AWS raises soft limits on request."""

    name: str
    value: float
    unit: str
    soft: bool
    source: str


SNS_PUBLISH: Final = Limit(
    "SNS: messages published", 30_000, "/s", True, f"{_DOCS}/general/latest/gr/sns.html"
)
SQS_IN_FLIGHT: Final = Limit(
    "SQS: messages in flight, one queue",
    120_000,
    "",
    True,
    f"{_DOCS}/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html",
)
FIRST_POLLERS: Final = 5
POLLERS_PER_MINUTE: Final = 300
"""Growth of an SQS mapping while messages wait, up to its MaximumConcurrency (at most 1,000).
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html"""

CONCURRENCY: Final = Limit(
    "Lambda: concurrent invocations in the account",
    1_000,
    "",
    True,
    f"{_DOCS}/lambda/latest/dg/gettingstarted-limits.html",
)

S3_GET: Final = Limit(
    "S3: GET below one prefix",
    5_500,
    "/s",
    False,
    f"{_DOCS}/AmazonS3/latest/userguide/optimizing-performance.html",
)
S3_PUT: Final = Limit("S3: PUT below one prefix, by SageMaker", 3_500, "/s", False, S3_GET.source)
PARTITION_WRITES: Final = Limit(
    "DynamoDB: write units of a partition",
    1_000,
    "/s",
    False,
    f"{_DOCS}/amazondynamodb/latest/developerguide/bp-partition-key-design.html",
)
TABLE_WRITES: Final = Limit(
    "DynamoDB: write units of a table or index",
    40_000,
    "/s",
    True,
    f"{_DOCS}/amazondynamodb/latest/developerguide/ServiceQuotas.html",
)
NEW_TABLE_WRITES: Final = 4_000
"""Warm throughput of a new on-demand table or index, in write units per second.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/warm-throughput.html"""

PUT_EVENTS: Final = Limit(
    "EventBridge: PutEvents calls", 10_000, "/s", True, f"{_DOCS}/general/latest/gr/ev.html"
)
EVENT_TARGETS: Final = Limit(
    "EventBridge: targets invoked", 18_750, "/s", True, f"{_DOCS}/general/latest/gr/ev.html"
)
EVENTS_PER_CALL: Final = 10
"""https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html"""

API_REQUESTS: Final = Limit(
    "API Gateway: requests",
    10_000,
    "/s",
    True,
    f"{_DOCS}/apigateway/latest/developerguide/limits.html",
)
