"""Actions on the deployed system, and which of them each role is allowed to perform.

An action that is not in a role's set must be denied. `{Name}` in a string is replaced by the name
of a deployed resource.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from inference_results.contract import Index


@dataclass(frozen=True)
class Call:
    """An AWS call that the test makes. `harmless_error` is the error of an allowed call, if any."""

    service: str
    operation: str
    parameters: Mapping[str, Any]
    harmless_error: str = ""


@dataclass(frozen=True)
class Request:
    """An HTTP API request that the test sends. Any status except 403 counts as allowed."""

    method: str
    path: str
    content: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Simulated:
    """An action that IAM simulates, because MiniStack does not enforce it or it would do harm."""

    iam_action: str
    resource: str


Action = Call | Request | Simulated

UNKNOWN_KEY = {"inference_id": {"S": "unknown"}, "endpoint_name": {"S": "-"}}
UNKNOWN_DAY = {"endpoint_name": {"S": "-"}, "day_writer": {"S": "unknown"}}
NEVER_TRUE = "attribute_exists(inference_id) AND attribute_not_exists(inference_id)"


def publish(topic: str) -> Call:
    parameters = {"TopicArn": topic, "Message": ""}
    return Call("sns", "publish", parameters, harmless_error="InvalidParameter")


def send(url: str) -> Call:
    parameters = {"QueueUrl": url, "MessageBody": "forged", "DelaySeconds": 1_000_000}
    return Call("sqs", "send_message", parameters, harmless_error="InvalidParameterValue")


def receive(url: str) -> Call:
    return Call("sqs", "receive_message", {"QueueUrl": url, "VisibilityTimeout": 0})


def delete_message(url: str) -> Call:
    parameters = {"QueueUrl": url, "ReceiptHandle": "none"}
    return Call("sqs", "delete_message", parameters, harmless_error="ReceiptHandleIsInvalid")


def query(table: str, key: str = "inference_id", **index: str) -> Call:
    parameters = {
        "TableName": table,
        "KeyConditionExpression": "#key = :key",
        "ExpressionAttributeNames": {"#key": key},
        "ExpressionAttributeValues": {":key": {"S": "unknown"}},
        **index,
    }
    return Call("dynamodb", "query", parameters)


def query_index(index: Index, key: str) -> Call:
    return query("{TableName}", key, IndexName=str(index))


def change(table: str, key: Mapping[str, Any], operation: str) -> Call:
    parameters = {"TableName": table, "Key": key, "ConditionExpression": NEVER_TRUE}
    return Call("dynamodb", operation, parameters, harmless_error="ConditionalCheckFailedException")


def get_object(key: str, bucket: str = "{OutputBucket}", **version: str) -> Call:
    return Call("s3", "get_object", {"Bucket": bucket, "Key": key, **version})


def put_object(key: str) -> Call:
    return Call("s3", "put_object", {"Bucket": "{OutputBucket}", "Key": key, "Body": b""})


def listing(prefix: str) -> Call:
    parameters = {"Bucket": "{OutputBucket}", "Prefix": prefix, "MaxKeys": 1}
    return Call("s3", "list_objects_v2", parameters)


def invoke(function: str) -> Call:
    return Call("lambda", "invoke", {"FunctionName": function, "InvocationType": "DryRun"})


def put_event(bus: str) -> Call:
    entry = {"EventBusName": bus, "Source": "unknown", "DetailType": "Forged", "Detail": "{{}}"}
    return Call("events", "put_events", {"Entries": [entry]})


ACTIONS: dict[str, Action] = {
    # Topics and queues
    "publish to the success topic": publish("{SuccessTopicArn}"),
    "publish to the error topic": publish("{ErrorTopicArn}"),
    "publish to the alarm topic": publish("{AlarmTopicArn}"),
    "publish to another topic": publish("{OtherTopicArn}"),
    "subscribe to the success topic": Simulated("sns:Subscribe", "{SuccessTopicArn}"),
    "send to the completed queue": send("{CompletedQueueUrl}"),
    "send to the failed queue": send("{FailedQueueUrl}"),
    "send to the unprocessable queue": send("{UnprocessableQueueUrl}"),
    "send to the completed dead letters": send("{CompletedDeadLetterQueueUrl}"),
    "send to the failed dead letters": send("{FailedDeadLetterQueueUrl}"),
    "send to the completed subscription dead letters": send(
        "{CompletedSubscriptionDeadLetterQueueUrl}"
    ),
    "send to the failed subscription dead letters": send("{FailedSubscriptionDeadLetterQueueUrl}"),
    "send to the summary dead letters": send("{SummaryDeadLetterQueueUrl}"),
    "send to the event dead letters": send("{EventDeadLetterQueueUrl}"),
    "send to another queue": send("{OtherQueueUrl}"),
    "receive from the completed queue": receive("{CompletedQueueUrl}"),
    "receive from the failed queue": receive("{FailedQueueUrl}"),
    "receive from the unprocessable queue": receive("{UnprocessableQueueUrl}"),
    "receive from the completed dead letters": receive("{CompletedDeadLetterQueueUrl}"),
    "receive from another queue": receive("{OtherQueueUrl}"),
    "delete from the completed queue": delete_message("{CompletedQueueUrl}"),
    "delete from the failed queue": delete_message("{FailedQueueUrl}"),
    "delete from the unprocessable queue": delete_message("{UnprocessableQueueUrl}"),
    "purge the completed queue": Simulated("sqs:PurgeQueue", "{CompletedQueueArn}"),
    "change the policy of the completed queue": Simulated(
        "sqs:SetQueueAttributes", "{CompletedQueueArn}"
    ),
    # Records
    "get a record": Call("dynamodb", "get_item", {"TableName": "{TableName}", "Key": UNKNOWN_KEY}),
    "get records": Call(
        "dynamodb", "batch_get_item", {"RequestItems": {"{TableName}": {"Keys": [UNKNOWN_KEY]}}}
    ),
    "query the records": query("{TableName}"),
    "query by endpoint": query_index(Index.BY_ENDPOINT, "endpoint_shard"),
    "query by endpoint and status": query_index(
        Index.BY_ENDPOINT_AND_STATUS, "endpoint_status_shard"
    ),
    "query by status": query_index(Index.BY_STATUS, "status_shard"),
    "scan the records": Call("dynamodb", "scan", {"TableName": "{TableName}", "Limit": 1}),
    "update a record": change("{TableName}", UNKNOWN_KEY, "update_item"),
    "delete a record": change("{TableName}", UNKNOWN_KEY, "delete_item"),
    "put a record": Call(
        "dynamodb",
        "put_item",
        {"TableName": "{TableName}", "Item": UNKNOWN_KEY, "ConditionExpression": NEVER_TRUE},
        harmless_error="ConditionalCheckFailedException",
    ),
    "delete the table": Simulated("dynamodb:DeleteTable", "{TableArn}"),
    "get a summary": Call(
        "dynamodb", "get_item", {"TableName": "{SummariesTableName}", "Key": UNKNOWN_DAY}
    ),
    "query the summaries": query("{SummariesTableName}", "endpoint_name"),
    "update a summary": change("{SummariesTableName}", UNKNOWN_DAY, "update_item"),
    "delete a summary": change("{SummariesTableName}", UNKNOWN_DAY, "delete_item"),
    "query another table": query("{OtherTable}"),
    "update another table": change("{OtherTable}", UNKNOWN_KEY, "update_item"),
    "read the stream": Simulated("dynamodb:GetRecords", "{StreamArn}"),
    "read the stream of another table": Simulated("dynamodb:GetRecords", "{OtherStreamArn}"),
    # Objects
    "read an output": get_object("{OutputKey}"),
    "read a version of an output": get_object("{OutputKey}", VersionId="{OutputVersion}"),
    "read a failure object": get_object("{FailureKey}"),
    "read an input": get_object("{InputKey}"),
    "read outside the prefixes": get_object("{ElsewhereKey}"),
    "read from another bucket": get_object("{OutputKey}", bucket="{OtherBucket}"),
    "list outputs": listing("{OutputPrefix}"),
    "list the whole bucket": listing(""),
    "write an output": put_object("{OutputKey}"),
    "write an input": put_object("{InputKey}"),
    "write outside the prefixes": put_object("{ElsewhereKey}"),
    "delete an output": Simulated("s3:DeleteObject", "arn:aws:s3:::{OutputBucket}/{OutputKey}"),
    # Events, tasks, endpoints and functions
    "put an event on the bus": put_event("{EventBusArn}"),
    "put an event on another bus": put_event("default"),
    "complete a task": Simulated("states:SendTaskSuccess", "{StateMachineArn}"),
    "complete a task of another state machine": Simulated(
        "states:SendTaskSuccess", "{StateMachineArn}-2"
    ),
    "invoke the endpoint": Simulated(
        "sagemaker:InvokeEndpointAsync", "arn:aws:sagemaker:{Region}:{Account}:endpoint/speech"
    ),
    "invoke another endpoint": Simulated(
        "sagemaker:InvokeEndpointAsync", "arn:aws:sagemaker:{Region}:{Account}:endpoint/speech-2"
    ),
    "invoke the endpoint synchronously": Simulated(
        "sagemaker:InvokeEndpoint", "arn:aws:sagemaker:{Region}:{Account}:endpoint/speech"
    ),
    "invoke reconcile": invoke("{ReconcileFunctionName}"),
    "invoke summarize": invoke("{SummarizeFunctionName}"),
    "invoke publish_events": invoke("{PublishEventsFunctionName}"),
    "change a function": Simulated("lambda:UpdateFunctionCode", "{ReconcileFunctionArn}"),
    # The HTTP API
    "get an inference": Request("GET", "inferences/none"),
    "get inferences": Request("POST", "/inferences:batchGet"),
    "submit an inference": Request("POST", "inferences"),
    "register an inference": Request("PUT", "inferences/none"),
    # The account
    "log as status_api": Simulated("logs:PutLogEvents", "{StatusApiLogs}:log-stream:one"),
    "log as publish_events": Simulated("logs:PutLogEvents", "{PublishEventsLogs}:log-stream:one"),
    "decrypt": Simulated("kms:Decrypt", "arn:aws:kms:{Region}:{Account}:key/any"),
    "describe the stack": Call(
        "cloudformation", "describe_stacks", {"StackName": "InferenceResults"}
    ),
    "assume the execution role": Call(
        "sts",
        "assume_role",
        {
            "RoleArn": "arn:aws:iam::{Account}:role/sagemaker-execution",
            "RoleSessionName": "taken",
        },
    ),
    "extend a role": Simulated(
        "iam:PutRolePolicy", "arn:aws:iam::{Account}:role/sagemaker-execution"
    ),
}

READS_OUTPUTS = {"read an output", "read a failure object", "list outputs"}
READS_STREAM = {"read the stream"}
QUERIES_API = {"get an inference", "get inferences"}
RECORDS_RESULTS = {
    *READS_OUTPUTS,
    "send to the unprocessable queue",
    "get a record",
    "update a record",
}

FUNCTIONS: dict[str, set[str]] = {
    "CompletedRecorder": {
        *RECORDS_RESULTS,
        "receive from the completed queue",
        "delete from the completed queue",
    },
    "FailedRecorder": {
        *RECORDS_RESULTS,
        "receive from the failed queue",
        "delete from the failed queue",
    },
    "StatusApi": {
        *READS_OUTPUTS,
        "read a version of an output",
        "get records",
        "query the records",
        "query by endpoint",
        "query by endpoint and status",
        "query by status",
        "query the summaries",
        "log as status_api",
    },
    "SubmitterSubmissionApi": {
        "get a record",
        "update a record",
        "delete a record",
        "write an input",
        "invoke the endpoint",
    },
    "ReconcilerReconcile": {*READS_OUTPUTS, "query by status", "update a record"},
    "ReconcilerScheduleRole": {"invoke reconcile"},
    "SummarizerSummarize": {
        *READS_STREAM,
        "get a summary",
        "update a summary",
        "send to the summary dead letters",
    },
    "EventPublisherPublishEvents": {
        *READS_STREAM,
        "put an event on the bus",
        "complete a task",
        "send to the event dead letters",
        "log as publish_events",
    },
}
"""Allowed actions of the stack's roles, by the part of the logical id."""

OTHER_ROLES: dict[str, set[str]] = {
    "sagemaker-execution": {
        "publish to the success topic",
        "publish to the error topic",
        "read an input",
        "write an output",
    },
    "inference-reader": QUERIES_API,
    "inference-submitter": {*QUERIES_API, "submit an inference", "register an inference"},
    "endpoint-attacher": {"describe the stack"},
    "dead-letter-operator": {
        "publish to the success topic",
        "publish to the error topic",
        # Its policy allows all topics of the stack.
        "publish to the alarm topic",
        "receive from the completed queue",
        "receive from the failed queue",
        "receive from the unprocessable queue",
        "receive from the completed dead letters",
        "delete from the completed queue",
        "delete from the failed queue",
        "delete from the unprocessable queue",
        "read the stream",
        # Only here: MiniStack ignores stream ARNs, so the local role allows all streams.
        "read the stream of another table",
        "invoke summarize",
        "invoke publish_events",
        "describe the stack",
        "get an inference",
    },
    "doctor": {"query by status", "describe the stack"},
    "backfill": {"scan the records", "update a record", "list outputs"},
}
"""Allowed actions of the local roles, and of roles with the policy of a document, by name."""

ALLOWED = FUNCTIONS | OTHER_ROLES
