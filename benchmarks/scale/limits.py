"""AWS's limits with their sources: us-east-1 in November 2026. Other regions have lower limits.

The sources are pages under https://docs.aws.amazon.com.
"""

from typing import Final, NamedTuple


class Limit(NamedTuple):
    """AWS's default limit, in `unit`. AWS raises all of them but those of S3 and of partitions."""

    name: str
    value: float
    unit: str


# general/latest/gr/sns.html
SNS_PUBLISH: Final = Limit("SNS: messages published", 30_000, "/s")
# AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html
SQS_IN_FLIGHT: Final = Limit("SQS: messages in flight, one queue", 120_000, "")
# lambda/latest/dg/services-sqs-scaling.html
FIRST_POLLERS: Final = 5
"""Concurrent batches with which an SQS mapping starts."""
# lambda/latest/dg/gettingstarted-limits.html
CONCURRENCY: Final = Limit("Lambda: concurrent invocations in the account", 1_000, "")
# AmazonS3/latest/userguide/optimizing-performance.html
S3_GET: Final = Limit("S3: GET below one prefix", 5_500, "/s")
S3_PUT: Final = Limit("S3: PUT below one prefix, by SageMaker", 3_500, "/s")
# amazondynamodb/latest/developerguide/bp-partition-key-design.html
PARTITION_WRITES: Final = Limit("DynamoDB: write units of a partition", 1_000, "/s per partition")
# amazondynamodb/latest/developerguide/ServiceQuotas.html
TABLE_WRITES: Final = Limit("DynamoDB: write units of a table or index", 40_000, "/s")
# amazondynamodb/latest/developerguide/warm-throughput.html
NEW_TABLE_WRITES: Final = 4_000
"""Warm throughput of a new on-demand table or index, in write units per second."""
# general/latest/gr/ev.html
PUT_EVENTS: Final = Limit("EventBridge: PutEvents calls", 10_000, "/s")
EVENT_TARGETS: Final = Limit("EventBridge: targets invoked", 18_750, "/s")
# eventbridge/latest/APIReference/API_PutEvents.html
EVENTS_PER_CALL: Final = 10
# apigateway/latest/developerguide/limits.html
API_REQUESTS: Final = Limit("API Gateway: requests", 10_000, "/s")
