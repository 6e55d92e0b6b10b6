"""What SageMaker publishes of an inference that has completed."""

import base64
import json
from datetime import datetime, timedelta
from typing import Any, Final

from inference_results.domain.record.timestamps import timestamp
from local.environment import REGION

ENDPOINT: Final = "speech"
"""Exists on the local system."""


def completed(
    inference_id: str,
    output_location: str,
    *,
    input_location: str,
    ended: datetime,
    took: timedelta = timedelta(seconds=60),
    endpoint: str = ENDPOINT,
) -> dict[str, Any]:
    """An `InferenceResult`, without the response."""
    return {
        "awsRegion": REGION,
        "eventTime": timestamp(ended),
        "receivedTime": timestamp(ended - took),
        "invocationStatus": "Completed",
        "requestParameters": {
            "accept": "application/json",
            "contentType": "application/json",
            "endpointName": endpoint,
            "inputLocation": input_location,
        },
        "responseParameters": {
            "contentType": "application/json",
            "outputLocation": output_location,
        },
        "inferenceId": inference_id,
        "eventVersion": "1.0",
        "eventSource": "aws:sagemaker",
        "eventName": "InferenceResult",
    }


def message(event: dict[str, Any], response: bytes | None = None) -> str:
    """As it is published, with the response if IncludeInferenceResponseIn asks for it."""
    if response is None:
        return json.dumps(event)
    content = base64.b64encode(response).decode()
    body = {"content": content, "message": "", "encoding": "BASE64"}
    return json.dumps({**event, "responseBody": body})
