"""Build the notifications that SageMaker publishes for completed inferences."""

import base64
import json
from datetime import datetime, timedelta
from typing import Any, Final

from inference_results.domain.record.timestamps import timestamp
from local.environment import REGION

ENDPOINT: Final = "speech"
"""An endpoint of the local system."""


def completed(
    inference_id: str,
    output_location: str,
    *,
    input_location: str,
    ended: datetime,
    took: timedelta = timedelta(seconds=60),
    endpoint: str = ENDPOINT,
) -> dict[str, Any]:
    """Build an `InferenceResult` notification without the response."""
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


def message(notification: dict[str, Any], response: bytes | None = None) -> str:
    """Serialize a notification, with the response if IncludeInferenceResponseIn is set."""
    if response is None:
        return json.dumps(notification)
    content = base64.b64encode(response).decode()
    body = {"content": content, "message": "", "encoding": "BASE64"}
    return json.dumps({**notification, "responseBody": body})
