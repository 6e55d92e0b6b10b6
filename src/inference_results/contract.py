"""Names that the infrastructure and the functions share. Standard library only.

Use these members everywhere instead of literals.
"""

from enum import StrEnum
from typing import Final

DEFAULT_RETENTION_DAYS = 90
MAX_RETENTION_DAYS = 3650

STREAM_RETRY_HOURS = 12
"""How long Lambda retries a batch of the table's stream before it becomes a dead letter."""
STREAM_RETENTION_HOURS = 24
"""How long DynamoDB keeps changes in a stream."""

REDRIVEN_FROM = "redrivenFrom"
"""Property of an invocation of summarize that redrives changes: the shard that they are from."""

METRICS_NAMESPACE = "InferenceResults"


class Service(StrEnum):
    """The functions: their modules in `functions`, and the dimension `service` of their metrics."""

    RECORD_RESULT = "record_result"
    RECONCILE = "reconcile"
    PUBLISH_EVENTS = "publish_events"
    SUMMARIZE = "summarize"
    STATUS_API = "status_api"
    SUBMISSION_API = "submission_api"


class Status(StrEnum):
    """Known statuses. Notifications can have others, which are kept as received."""

    IN_PROGRESS = "InProgress"
    COMPLETED = "Completed"
    FAILED = "Failed"
    EXPIRED = "Expired"
    LOST = "Lost"


class Dimension(StrEnum):
    """Dimensions of metrics. Every metric has `service`; docs/operations/metrics.md has others."""

    SERVICE = "service"
    ENDPOINT = "endpoint"
    """A watched endpoint, else OTHER: each value is a metric, which costs money."""
    STATUS = "status"
    """A known status, else OTHER."""
    REASON = "reason"
    ROUTE = "route"


OTHER = "other"
"""The dimension value of everything that is not listed."""


class Metric(StrEnum):
    """Metrics. docs/operations/metrics.md describes each of them and its dimensions."""

    RECORDED = "Recorded"
    RECORDED_WITH_OUTPUT_ERROR = "RecordedWithOutputError"
    DUPLICATE = "Duplicate"
    SUPERSEDED = "Superseded"
    IGNORED = "Ignored"
    UNPROCESSABLE = "Unprocessable"
    MESSAGES_RETURNED = "MessagesReturned"
    FAST_CLIENT_FALLBACKS = "FastClientFallbacks"

    RESULTS = "Results"
    """Results that were written, by endpoint and status."""
    INFERENCE_TIME = "InferenceTime"
    """Milliseconds from receivedTime to eventTime."""
    PIPELINE_LAG = "PipelineLag"
    """Milliseconds from eventTime to recorded_at."""
    OUTPUT_BYTES = "OutputBytes"

    RECOVERED_COMPLETED = "RecoveredCompleted"
    RECOVERED_FAILED = "RecoveredFailed"
    LOST = "Lost"
    OUTPUT_READ = "OutputRead"
    OUTPUT_STILL_UNREADABLE = "OutputStillUnreadable"
    CHANGED_CONCURRENTLY = "ChangedConcurrently"
    LEFT_FOR_NEXT_RUN = "LeftForNextRun"

    EVENTS_PUBLISHED = "EventsPublished"
    EVENTS_RETRIED = "EventsRetried"
    CHANGES_RETURNED = "ChangesReturned"
    EVENTS_REJECTED = "EventsRejected"
    MALFORMED_RECORDS = "MalformedRecords"
    PUBLISH_LAG = "PublishLag"
    """Milliseconds from recorded_at until the bus accepted the event."""
    TASKS_COMPLETED = "TasksCompleted"
    TASKS_GONE = "TasksGone"
    """Tokens of tasks that had already ended."""
    TASKS_DENIED = "TasksDenied"
    """Tokens that this service is not allowed to use."""

    LATENCY = "Latency"
    """Milliseconds for an API request, without the pauses of a wait."""


EVENT_SOURCE = "inference-results"
"""The `source` of events."""


class DetailType(StrEnum):
    """The `detail-type` of events, by the new status. docs/guides/events.md describes them."""

    SUBMITTED = "Inference Submitted"
    COMPLETED = "Inference Completed"
    FAILED = "Inference Failed"
    EXPIRED = "Inference Expired"
    LOST = "Inference Lost"
    STATUS_CHANGED = "Inference Status Changed"
    """The new status is unknown to this version."""


class Route(StrEnum):
    """Routes of the HTTP API, as API Gateway's route keys. More specific paths come first."""

    GET_OUTPUT = "GET /inferences/{inference_id}/output"
    GET_INFERENCE = "GET /inferences/{inference_id}"
    LIST_INFERENCES = "GET /inferences"
    BATCH_GET = "POST /inferences:batchGet"
    GET_INFERENCE_BY_QUERY = "GET /inference"
    """For ids with `/`, `?` or `%`: API Gateway decodes paths before it routes, but not queries."""
    GET_OUTPUT_BY_QUERY = "GET /inference/output"
    SUBMIT_INFERENCE = "POST /inferences"
    REGISTER_INFERENCE = "PUT /inferences/{inference_id}"
    REGISTER_INFERENCE_BY_QUERY = "PUT /inference"
    SUMMARIZE_ENDPOINT = "GET /endpoints/{endpoint_name}/summary"
    GET_OPENAPI = "GET /openapi.json"


SUBMISSION_ROUTES = frozenset(
    {Route.SUBMIT_INFERENCE, Route.REGISTER_INFERENCE, Route.REGISTER_INFERENCE_BY_QUERY}
)
"""The routes of submission_api, which can write. status_api has all others and can only read."""

INLINE_OUTPUT_HEADER = "inference-results-output"
"""Header of API responses that are the output itself. Its value is `inline`. No proxy adds it."""


class Problem(StrEnum):
    """Types of the HTTP API's problem documents (RFC 9457)."""

    INVALID_PARAMETER = "urn:inference-results:problem:invalid-parameter"
    UNKNOWN_INFERENCE = "urn:inference-results:problem:unknown-inference"
    RECORD_EXPIRED = "urn:inference-results:problem:record-expired"
    AMBIGUOUS_INFERENCE = "urn:inference-results:problem:ambiguous-inference"
    NO_OUTPUT = "urn:inference-results:problem:no-output"
    OUTPUT_UNAVAILABLE = "urn:inference-results:problem:output-unavailable"
    OUTPUT_REMOVED = "urn:inference-results:problem:output-removed"
    KEY_REUSED = "urn:inference-results:problem:idempotency-key-reused"
    INVOCATION_REJECTED = "urn:inference-results:problem:invocation-rejected"
    UNAVAILABLE = "urn:inference-results:problem:unavailable"


class Variable(StrEnum):
    """Environment variables of the functions."""

    TABLE_NAME = "TABLE_NAME"
    SUMMARIES_TABLE_NAME = "SUMMARIES_TABLE_NAME"
    UNPROCESSABLE_QUEUE_URL = "UNPROCESSABLE_QUEUE_URL"
    OUTPUT_PREFIXES = "OUTPUT_PREFIXES"
    """JSON list of `s3://bucket/prefix/`."""
    INLINE_OUTPUT_BYTES = "INLINE_OUTPUT_BYTES"
    RETENTION_DAYS = "RETENTION_DAYS"
    SHARDS = "SHARDS"
    WORKERS = "WORKERS"
    CURSOR_KEY = "CURSOR_KEY"
    """The key that signs list cursors."""
    SUBMIT_ENDPOINTS = "SUBMIT_ENDPOINTS"
    """JSON list of the endpoints that the API can invoke."""
    INPUT_PREFIX = "INPUT_PREFIX"
    """`s3://bucket/prefix/` for inputs that are too large for the request, or empty."""
    OVERDUE_SLACK_SECONDS = "OVERDUE_SLACK_SECONDS"
    TABLE_ARN = "TABLE_ARN"
    EVENT_BUS_ARN = "EVENT_BUS_ARN"
    WATCHED_ENDPOINTS = "WATCHED_ENDPOINTS"
    """JSON list of the endpoints with their own metrics."""
    PUBLISH_CUSTOM_ATTRIBUTES = "PUBLISH_CUSTOM_ATTRIBUTES"
    """`true` or `false`."""
    COMPLETES_TASKS = "COMPLETES_TASKS"
    """Whether to accept task tokens: `true` or `false`."""


class Attribute(StrEnum):
    """Attributes of items in the inferences table. docs/record.md describes the public ones."""

    INFERENCE_ID = "inference_id"
    ENDPOINT_NAME = "endpoint_name"
    STATUS = "status"
    SUBMITTED_AT = "submitted_at"
    RECEIVED_AT = "received_at"
    EVENT_TIME = "event_time"
    RECORDED_AT = "recorded_at"
    DEADLINE = "deadline"
    INPUT_LOCATION = "input_location"
    CONTENT_TYPE = "content_type"
    OUTPUT = "output"
    OUTPUT_ERROR = "output_error"
    FAILURE = "failure"
    IGNORED_FIELDS = "ignored_fields"
    SOURCE = "source"
    """How the result was found, if not by a notification."""
    CUSTOM_ATTRIBUTES = "custom_attributes"
    CALLER_METADATA = "caller_metadata"
    EXPIRES_AT = "expires_at"
    SUBMISSION = "submission"
    """A map of the submitter's data, which results do not change. See SubmissionMember."""
    TASK_TOKENS = "task_tokens"
    """A string set: tokens of Step Functions tasks that wait for the inference. Never returned."""
    REQUEST_DIGEST = "request_digest"
    """Digest of the request that an idempotency key belongs to."""
    EVENT_ORDER = "event_order"
    """Decides which result wins. See docs/decisions/0001-one-conditional-write.md."""
    ENDPOINT_SHARD = "endpoint_shard"
    ENDPOINT_SORT = "endpoint_sort"
    STATUS_SHARD = "status_shard"
    STATUS_SORT = "status_sort"
    ENDPOINT_STATUS_SHARD = "endpoint_status_shard"


LISTED_ATTRIBUTES: Final = (
    Attribute.INFERENCE_ID,
    Attribute.ENDPOINT_NAME,
    Attribute.STATUS,
    Attribute.SUBMITTED_AT,
    Attribute.RECEIVED_AT,
    Attribute.EVENT_TIME,
    Attribute.RECORDED_AT,
    Attribute.DEADLINE,
    Attribute.FAILURE,
    Attribute.EXPIRES_AT,
)
"""The attributes that lists return and indexes project. See docs/decisions/0003-indexes.md."""


class SubmissionMember(StrEnum):
    """Members of the map `submission`."""

    ORDER = "order"
    """Decides which registration wins. Unique for each attempt."""
    OUTPUT_LOCATION = "output_location"
    FAILURE_LOCATION = "failure_location"
    STAGE = "stage"
    """The stage of an attempt. Missing once SageMaker's response is known."""


class SummaryAttribute(StrEnum):
    """Attributes of items in the summaries table, besides the counters."""

    ENDPOINT_NAME = "endpoint_name"
    DAY_WRITER = "day_writer"
    """`<day>#<writer>`: each shard of the stream is a writer with its own items."""
    LAST_SEQUENCE = "last_sequence"
    """Sequence of the last change that the counters include."""
    FIRST_SEQUENCE = "first_sequence"
    """Sequence of the first change that the counters include."""
    OLDEST_CHANGE_AT = "oldest_change_at"
    """When the oldest change of the last counted batch was made, in epoch seconds."""
    GAPS = "gaps"
    """Ranges that the counters do not include.

    See docs/decisions/0018-counting-redriven-changes.md.
    """
    EXPIRES_AT = "expires_at"


class Index(StrEnum):
    """Global secondary indexes of the inferences table."""

    BY_ENDPOINT = "by-endpoint"
    BY_STATUS = "by-status"
    BY_ENDPOINT_AND_STATUS = "by-endpoint-and-status"


class StackOutput(StrEnum):
    """Outputs of the stack."""

    SUCCESS_TOPIC_ARN = "SuccessTopicArn"
    ERROR_TOPIC_ARN = "ErrorTopicArn"
    TABLE_NAME = "TableName"
    SHARDS = "Shards"
    SUMMARIES_TABLE_NAME = "SummariesTableName"
    API_URL = "ApiUrl"
    RECONCILE_FUNCTION_NAME = "ReconcileFunctionName"
    SUMMARIZE_FUNCTION_NAME = "SummarizeFunctionName"
    PUBLISH_EVENTS_FUNCTION_NAME = "PublishEventsFunctionName"
    COMPLETED_QUEUE_URL = "CompletedQueueUrl"
    FAILED_QUEUE_URL = "FailedQueueUrl"
    COMPLETED_DEAD_LETTER_QUEUE_URL = "CompletedDeadLetterQueueUrl"
    FAILED_DEAD_LETTER_QUEUE_URL = "FailedDeadLetterQueueUrl"
    COMPLETED_SUBSCRIPTION_DEAD_LETTER_QUEUE_URL = "CompletedSubscriptionDeadLetterQueueUrl"
    FAILED_SUBSCRIPTION_DEAD_LETTER_QUEUE_URL = "FailedSubscriptionDeadLetterQueueUrl"
    UNPROCESSABLE_QUEUE_URL = "UnprocessableQueueUrl"
    SUMMARY_DEAD_LETTER_QUEUE_URL = "SummaryDeadLetterQueueUrl"
    EVENT_BUS_ARN = "EventBusArn"
    EVENT_DEAD_LETTER_QUEUE_URL = "EventDeadLetterQueueUrl"
    ALARM_TOPIC_ARN = "AlarmTopicArn"
