"""Who may do what on the deployed system: deeds, and which of them each role may do.

What is not in a role's set is forbidden to it. In a text `{Name}` stands for a resource of the
deployed stack, filled in by the test.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from inference_results.contract import Index


@dataclass(frozen=True)
class Call:
    """A call of AWS that is made. `harmless` is the error that an allowed one ends with."""

    service: str
    operation: str
    parameters: Mapping[str, Any]
    harmless: str = ""


@dataclass(frozen=True)
class Request:
    """A request to the HTTP API that is made; an allowed one may be answered with any problem."""

    method: str
    path: str
    content: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Simulated:
    """What MiniStack does not enforce, or what would do harm: IAM's simulation tells."""

    action: str
    resource: str


Deed = Call | Request | Simulated

NOBODYS_KEY = {"inference_id": {"S": "nobody's"}, "endpoint_name": {"S": "-"}}
NOBODYS_DAY = {"endpoint_name": {"S": "-"}, "day_writer": {"S": "nobody's"}}
NEVER_TRUE = "attribute_exists(inference_id) AND attribute_not_exists(inference_id)"


def publish(topic: str) -> Call:
    parameters = {"TopicArn": topic, "Message": ""}
    return Call("sns", "publish", parameters, harmless="InvalidParameter")


def send(url: str) -> Call:
    parameters = {"QueueUrl": url, "MessageBody": "forged", "DelaySeconds": 1_000_000}
    return Call("sqs", "send_message", parameters, harmless="InvalidParameterValue")


def receive(url: str) -> Call:
    return Call("sqs", "receive_message", {"QueueUrl": url, "VisibilityTimeout": 0})


def delete_message(url: str) -> Call:
    parameters = {"QueueUrl": url, "ReceiptHandle": "none"}
    return Call("sqs", "delete_message", parameters, harmless="ReceiptHandleIsInvalid")


def query(table: str, key: str = "inference_id", **index: str) -> Call:
    parameters = {
        "TableName": table,
        "KeyConditionExpression": "#key = :key",
        "ExpressionAttributeNames": {"#key": key},
        "ExpressionAttributeValues": {":key": {"S": "nobody's"}},
        **index,
    }
    return Call("dynamodb", "query", parameters)


def query_index(index: Index, key: str) -> Call:
    return query("{TableName}", key, IndexName=str(index))


def change(table: str, key: Mapping[str, Any], operation: str) -> Call:
    parameters = {"TableName": table, "Key": key, "ConditionExpression": NEVER_TRUE}
    return Call("dynamodb", operation, parameters, harmless="ConditionalCheckFailedException")


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
    entry = {"EventBusName": bus, "Source": "nobody", "DetailType": "Forged", "Detail": "{{}}"}
    return Call("events", "put_events", {"Entries": [entry]})


DEEDS: dict[str, Deed] = {
    # Notifications on their way
    "publish to the success topic": publish("{SuccessTopicArn}"),
    "publish to the error topic": publish("{ErrorTopicArn}"),
    "publish to the topic of the alarms": publish("{AlarmTopicArn}"),
    "publish to another topic": publish("{OtherTopicArn}"),
    "subscribe to the success topic": Simulated("sns:Subscribe", "{SuccessTopicArn}"),
    "send to the completed queue": send("{CompletedQueueUrl}"),
    "send to the failed queue": send("{FailedQueueUrl}"),
    "send to the unprocessable queue": send("{UnprocessableQueueUrl}"),
    "send to the dead letters of results": send("{CompletedDeadLetterQueueUrl}"),
    "send to the dead letters of failures": send("{FailedDeadLetterQueueUrl}"),
    "send to the undelivered": send("{CompletedSubscriptionDeadLetterQueueUrl}"),
    "send to the undelivered failures": send("{FailedSubscriptionDeadLetterQueueUrl}"),
    "send to the dead letters of summaries": send("{SummaryDeadLetterQueueUrl}"),
    "send to the dead letters of events": send("{EventDeadLetterQueueUrl}"),
    "send to another queue": send("{OtherQueueUrl}"),
    "receive from the completed queue": receive("{CompletedQueueUrl}"),
    "receive from the failed queue": receive("{FailedQueueUrl}"),
    "receive from the unprocessable queue": receive("{UnprocessableQueueUrl}"),
    "receive from the dead letters of results": receive("{CompletedDeadLetterQueueUrl}"),
    "receive from another queue": receive("{OtherQueueUrl}"),
    "delete from the completed queue": delete_message("{CompletedQueueUrl}"),
    "delete from the failed queue": delete_message("{FailedQueueUrl}"),
    "delete from the unprocessable queue": delete_message("{UnprocessableQueueUrl}"),
    "purge the completed queue": Simulated("sqs:PurgeQueue", "{CompletedQueueArn}"),
    "change who may send": Simulated("sqs:SetQueueAttributes", "{CompletedQueueArn}"),
    # Records
    "get a record": Call("dynamodb", "get_item", {"TableName": "{TableName}", "Key": NOBODYS_KEY}),
    "get records": Call(
        "dynamodb", "batch_get_item", {"RequestItems": {"{TableName}": {"Keys": [NOBODYS_KEY]}}}
    ),
    "query the records": query("{TableName}"),
    "query by endpoint": query_index(Index.BY_ENDPOINT, "endpoint_shard"),
    "query by endpoint and status": query_index(
        Index.BY_ENDPOINT_AND_STATUS, "endpoint_status_shard"
    ),
    "query by status": query_index(Index.BY_STATUS, "status_shard"),
    "scan the records": Call("dynamodb", "scan", {"TableName": "{TableName}", "Limit": 1}),
    "update a record": change("{TableName}", NOBODYS_KEY, "update_item"),
    "delete a record": change("{TableName}", NOBODYS_KEY, "delete_item"),
    "put a record": Call(
        "dynamodb",
        "put_item",
        {"TableName": "{TableName}", "Item": NOBODYS_KEY, "ConditionExpression": NEVER_TRUE},
        harmless="ConditionalCheckFailedException",
    ),
    "delete the table": Simulated("dynamodb:DeleteTable", "{TableArn}"),
    "get a summary": Call(
        "dynamodb", "get_item", {"TableName": "{SummariesTableName}", "Key": NOBODYS_DAY}
    ),
    "query the summaries": query("{SummariesTableName}", "endpoint_name"),
    "update a summary": change("{SummariesTableName}", NOBODYS_DAY, "update_item"),
    "delete a summary": change("{SummariesTableName}", NOBODYS_DAY, "delete_item"),
    "query another table": query("{OtherTable}"),
    "update another table": change("{OtherTable}", NOBODYS_KEY, "update_item"),
    "read the stream": Simulated("dynamodb:GetRecords", "{StreamArn}"),
    "read the stream of another table": Simulated("dynamodb:GetRecords", "{OtherStreamArn}"),
    # Objects
    "read an output": get_object("{OutputKey}"),
    "read a version of an output": get_object("{OutputKey}", VersionId="{OutputVersion}"),
    "read a failure object": get_object("{FailureKey}"),
    "read an input": get_object("{InputKey}"),
    "read elsewhere in the bucket": get_object("{ElsewhereKey}"),
    "read in another bucket": get_object("{OutputKey}", bucket="{OtherBucket}"),
    "list outputs": listing("{OutputPrefix}"),
    "list the whole bucket": listing(""),
    "write an output": put_object("{OutputKey}"),
    "write an input": put_object("{InputKey}"),
    "write elsewhere in the bucket": put_object("{ElsewhereKey}"),
    "delete an output": Simulated("s3:DeleteObject", "arn:aws:s3:::{OutputBucket}/{OutputKey}"),
    # Who is told, and who computes
    "put an event on the bus": put_event("{EventBusArn}"),
    "put an event on another bus": put_event("default"),
    "answer a task": Simulated("states:SendTaskSuccess", "{StateMachineArn}"),
    "answer a task of another state machine": Simulated(
        "states:SendTaskSuccess", "{StateMachineArn}-2"
    ),
    "invoke the endpoint": Simulated(
        "sagemaker:InvokeEndpointAsync", "arn:aws:sagemaker:{Region}:{Account}:endpoint/speech"
    ),
    "invoke another endpoint": Simulated(
        "sagemaker:InvokeEndpointAsync", "arn:aws:sagemaker:{Region}:{Account}:endpoint/speech-2"
    ),
    "invoke the endpoint and wait": Simulated(
        "sagemaker:InvokeEndpoint", "arn:aws:sagemaker:{Region}:{Account}:endpoint/speech"
    ),
    "reconcile": invoke("{ReconcileFunctionName}"),
    "summarize": invoke("{SummarizeFunctionName}"),
    "publish_events": invoke("{PublishEventsFunctionName}"),
    "change a function": Simulated("lambda:UpdateFunctionCode", "{ReconcileFunctionArn}"),
    # The HTTP API
    "ask": Request("GET", "inferences/none"),
    "ask for many": Request("POST", "/inferences:batchGet"),
    "submit": Request("POST", "inferences"),
    "register": Request("PUT", "inferences/none"),
    # The account
    "log as status_api": Simulated("logs:PutLogEvents", "{StatusApiLogs}:log-stream:one"),
    "log as publish_events": Simulated("logs:PutLogEvents", "{PublishEventsLogs}:log-stream:one"),
    "decrypt": Simulated("kms:Decrypt", "arn:aws:kms:{Region}:{Account}:key/any"),
    "look at the stack": Call(
        "cloudformation", "describe_stacks", {"StackName": "InferenceResults"}
    ),
    "take the execution role": Call(
        "sts",
        "assume_role",
        {
            "RoleArn": "arn:aws:iam::{Account}:role/sagemaker-execution",
            "RoleSessionName": "taken",
        },
    ),
    "widen a role": Simulated(
        "iam:PutRolePolicy", "arn:aws:iam::{Account}:role/sagemaker-execution"
    ),
}

READS_OUTPUTS = {"read an output", "read a failure object", "list outputs"}
READS_STREAM = {"read the stream"}
ASKS = {"ask", "ask for many"}
RECORDS = {
    *READS_OUTPUTS,
    "send to the unprocessable queue",
    "get a record",
    "update a record",
}

FUNCTIONS: dict[str, set[str]] = {
    "CompletedRecorder": {
        *RECORDS,
        "receive from the completed queue",
        "delete from the completed queue",
    },
    "FailedRecorder": {
        *RECORDS,
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
    "ReconcilerCaller": {"reconcile"},
    "SummarizerSummarize": {
        *READS_STREAM,
        "get a summary",
        "update a summary",
        "send to the dead letters of summaries",
    },
    "EventPublisherPublishEvents": {
        *READS_STREAM,
        "put an event on the bus",
        "answer a task",
        "send to the dead letters of events",
        "log as publish_events",
    },
}
"""By the part of the stack that the role is of."""

OTHER_ROLES: dict[str, set[str]] = {
    "sagemaker-execution": {
        "publish to the success topic",
        "publish to the error topic",
        "read an input",
        "write an output",
    },
    "inference-reader": ASKS,
    "inference-submitter": {*ASKS, "submit", "register"},
    "endpoint-wirer": {"look at the stack"},
    "dead-letter-operator": {
        "publish to the success topic",
        "publish to the error topic",
        # Its rights name what belongs to the stack.
        "publish to the topic of the alarms",
        "receive from the completed queue",
        "receive from the failed queue",
        "receive from the unprocessable queue",
        "receive from the dead letters of results",
        "delete from the completed queue",
        "delete from the failed queue",
        "delete from the unprocessable queue",
        "read the stream",
        # Here only: MiniStack does not tell streams apart, so the role is given all of them.
        "read the stream of another table",
        "summarize",
        "publish_events",
        "look at the stack",
        "ask",
    },
    "doctor": {"query by status", "look at the stack"},
    "backfill": {"scan the records", "update a record", "list outputs"},
}
"""By the role's name: those of the local account, and what a document shows the rights of."""

ALLOWED = FUNCTIONS | OTHER_ROLES
