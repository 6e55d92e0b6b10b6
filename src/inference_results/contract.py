"""Names that the infrastructure and the running code share. Standard library only.

Each exists here once: a variable, attribute, index or output spelt elsewhere is a bug.
"""

from enum import StrEnum
from typing import Final

DEFAULT_RETENTION_DAYS = 90
MAX_RETENTION_DAYS = 3650

STREAM_RETRY_HOURS = 12
"""For so long Lambda tells a part of the table's stream again; then it is a dead letter."""
STREAM_RETENTION_HOURS = 24
"""DynamoDB's own: what is older can no longer be read."""

REDRIVEN_FROM = "redrivenFrom"
"""In an event for summarize, not from Lambda: the shard whose reader gave these changes up."""

METRICS_NAMESPACE = "InferenceResults"


class Service(StrEnum):
    """The functions: their modules in `handlers`, and the dimension `service` of their metrics."""

    RECORD_RESULT = "record_result"
    RECONCILE = "reconcile"
    PUBLISH_EVENTS = "publish_events"
    SUMMARIZE = "summarize"
    STATUS_API = "status_api"
    SUBMISSION_API = "submission_api"


class Status(StrEnum):
    """The statuses that are known. The vocabulary is open: others are kept as received."""

    IN_PROGRESS = "InProgress"
    COMPLETED = "Completed"
    FAILED = "Failed"
    EXPIRED = "Expired"
    LOST = "Lost"


class Dimension(StrEnum):
    """Of metrics. Every metric has `service`; docs/operations/metrics.md says which others have which."""

    SERVICE = "service"
    ENDPOINT = "endpoint"
    """The name of a watched endpoint, else OTHER: each value is a metric that is paid for."""
    STATUS = "status"
    """A known status, else OTHER."""
    REASON = "reason"
    ROUTE = "route"


OTHER = "other"
"""As the value of a dimension."""


class Metric(StrEnum):
    """Names of metrics; docs/operations/metrics.md says what each counts, of which dimensions."""

    RECORDED = "Recorded"
    RECORDED_WITH_OUTPUT_ERROR = "RecordedWithOutputError"
    DUPLICATE = "Duplicate"
    SUPERSEDED = "Superseded"
    IGNORED = "Ignored"
    UNPROCESSABLE = "Unprocessable"
    MESSAGES_RETURNED = "MessagesReturned"
    FAST_CLIENT_FALLBACKS = "FastClientFallbacks"

    RESULTS = "Results"
    """Outcomes that were written, by endpoint and status."""
    INFERENCE_TIME = "InferenceTime"
    """eventTime - receivedTime, in ms."""
    PIPELINE_LAG = "PipelineLag"
    """recorded_at - eventTime, in ms."""
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
    """When it was announced - recorded_at, in ms."""
    TASKS_COMPLETED = "TasksCompleted"
    TASKS_GONE = "TasksGone"
    """Tokens of tasks that have ended already."""
    TASKS_DENIED = "TasksDenied"
    """Tokens of state machines that this service may not answer."""

    LATENCY = "Latency"
    """Of one answer of the API, in ms, without what it was asked to wait."""


EVENT_SOURCE = "inference-results"
"""Of the events on the bus."""


class DetailType(StrEnum):
    """Of the events on the bus: what a status became; docs/guides/events.md describes them."""

    SUBMITTED = "Inference Submitted"
    COMPLETED = "Inference Completed"
    FAILED = "Inference Failed"
    EXPIRED = "Inference Expired"
    LOST = "Inference Lost"
    STATUS_CHANGED = "Inference Status Changed"
    """To a status that this version does not know."""


class Route(StrEnum):
    """Routes of the HTTP API, as API Gateway keys them; the more special path first."""

    GET_OUTPUT = "GET /inferences/{inference_id}/output"
    GET_INFERENCE = "GET /inferences/{inference_id}"
    LIST_INFERENCES = "GET /inferences"
    BATCH_GET = "POST /inferences:batchGet"
    GET_INFERENCE_BY_QUERY = "GET /inference"
    """For any id: API Gateway decodes a path before it routes, but not a query."""
    GET_OUTPUT_BY_QUERY = "GET /inference/output"
    SUBMIT_INFERENCE = "POST /inferences"
    REGISTER_INFERENCE = "PUT /inferences/{inference_id}"
    REGISTER_INFERENCE_BY_QUERY = "PUT /inference"
    SUMMARIZE_ENDPOINT = "GET /endpoints/{endpoint_name}/summary"
    GET_OPENAPI = "GET /openapi.json"


SUBMISSION_ROUTES = frozenset(
    {Route.SUBMIT_INFERENCE, Route.REGISTER_INFERENCE, Route.REGISTER_INFERENCE_BY_QUERY}
)
"""Answered by a function of their own: the one that answers the others may only read."""

INLINE_OUTPUT_HEADER = "inference-results-output"
"""Of the API's answers that are the output itself, with the value `inline`: no proxy adds it."""


class Problem(StrEnum):
    """Types of the problem documents (RFC 9457) that the HTTP API answers with."""

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
    """Signs the cursors of lists."""
    SUBMIT_ENDPOINTS = "SUBMIT_ENDPOINTS"
    """JSON list of the names of endpoints that may be invoked."""
    INPUT_PREFIX = "INPUT_PREFIX"
    """`s3://bucket/prefix/` for inputs too large for the request; empty if there is none."""
    OVERDUE_SLACK_SECONDS = "OVERDUE_SLACK_SECONDS"
    TABLE_ARN = "TABLE_ARN"
    EVENT_BUS_ARN = "EVENT_BUS_ARN"
    WATCHED_ENDPOINTS = "WATCHED_ENDPOINTS"
    """JSON list of the names that metrics show; other endpoints are counted together."""
    PUBLISH_CUSTOM_ATTRIBUTES = "PUBLISH_CUSTOM_ATTRIBUTES"
    """`true` or `false`."""
    COMPLETES_TASKS = "COMPLETES_TASKS"
    """Whether task tokens are taken: `true` or `false`."""


class Attribute(StrEnum):
    """Attributes of an item of the table of inferences; docs/record.md says what each holds."""

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
    """How an outcome was found, where no notification told it."""
    CUSTOM_ATTRIBUTES = "custom_attributes"
    CALLER_METADATA = "caller_metadata"
    EXPIRES_AT = "expires_at"
    SUBMISSION = "submission"
    """What the submitter knew: a map that no result touches. Its members: SubmissionMember."""
    TASK_TOKENS = "task_tokens"
    """A set of texts: of tasks of state machines that wait for the end. Nobody is shown them."""
    REQUEST_DIGEST = "request_digest"
    """Of the request that an idempotency key stands for."""
    EVENT_ORDER = "event_order"
    """Decides which event wins; see docs/decisions/0001."""
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
"""What a list returns of a record, and so what the indexes project; see decision 0003."""


class SubmissionMember(StrEnum):
    """Members of the map `submission`."""

    ORDER = "order"
    """Decides which registration wins, and tells one attempt to submit from another."""
    OUTPUT_LOCATION = "output_location"
    FAILURE_LOCATION = "failure_location"
    STAGE = "stage"
    """How far an attempt has come; missing once SageMaker's answer is known."""


class SummaryAttribute(StrEnum):
    """Attributes of an item of the table of summaries, besides its counters."""

    ENDPOINT_NAME = "endpoint_name"
    DAY_WRITER = "day_writer"
    """`<day>#<writer>`: each shard of the stream writes items of its own."""
    LAST_SEQUENCE = "last_sequence"
    """Of the last change that the counters include."""
    FIRST_SEQUENCE = "first_sequence"
    """Of the first one."""
    OLDEST_CHANGE_AT = "oldest_change_at"
    """When the oldest change of the batch that was added last was made, in epoch seconds."""
    GAPS = "gaps"
    """What the counters may lack between the first and the last: see decision 0018."""
    EXPIRES_AT = "expires_at"


class Index(StrEnum):
    """Secondary indexes of the table of inferences."""

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
