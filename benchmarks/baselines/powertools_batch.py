"""Powertools' BatchProcessor with pydantic models, as in its documentation."""

from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.parser.models import SqsRecordModel
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import ClientError
from pydantic import BaseModel, Json

from benchmarks.baselines.conditional_update import is_duplicate, object_of, update

logger = Logger(service="other")
metrics = Metrics(namespace="Other", service="other")
s3 = boto3.client("s3")
dynamodb = boto3.client("dynamodb")


class RequestParameters(BaseModel):
    endpointName: str
    inputLocation: str | None = None
    contentType: str | None = None
    customAttributes: str | None = None


class ResponseParameters(BaseModel):
    outputLocation: str
    contentType: str | None = None


class InferenceResult(BaseModel):
    eventName: str
    eventTime: str
    receivedTime: str | None = None
    invocationStatus: str
    inferenceId: str
    requestParameters: RequestParameters
    responseParameters: ResponseParameters


class Record(SqsRecordModel):
    body: Json[InferenceResult]


processor = BatchProcessor(event_type=EventType.SQS, model=Record)


def record_handler(record: Record) -> None:
    result: InferenceResult = record.body
    location = result.responseParameters.outputLocation
    output = s3.get_object(**object_of(location))["Body"].read()
    try:
        dynamodb.update_item(
            **update(
                result.inferenceId,
                result.requestParameters.endpointName,
                result.invocationStatus,
                result.eventTime,
                location,
                output,
            )
        )
    except ClientError as error:
        if not is_duplicate(error):
            raise
    logger.info("recorded", extra={"inference_id": result.inferenceId})
    metrics.add_metric(name="Recorded", unit=MetricUnit.Count, value=1)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> Any:
    return process_partial_response(event, record_handler, processor, context)
