"""Invoke asynchronous SageMaker endpoints."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
)
from botocore.exceptions import ConnectionError as NoConnectionError
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError

from inference_results.adapters.aws.errors import is_transient
from inference_results.domain.record.errors import (
    InvocationRejected,
    InvocationUnconfirmed,
    Unavailable,
)
from inference_results.domain.record.parameters import MAX_INLINE_INPUT_BYTES
from inference_results.domain.submissions.invocation import Invocation, InvocationResponse

if TYPE_CHECKING:
    from types_boto3_sagemaker_runtime import SageMakerRuntimeClient
    from types_boto3_sagemaker_runtime.type_defs import ResponseMetadataTypeDef

INVOKE_CONFIG: Final = Config(
    connect_timeout=2, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 1}
)
"""One attempt of at most 12 s. A retry after a timeout could invoke the endpoint twice."""


class AsyncEndpoints:
    """Asynchronous endpoints. `client` must be created with INVOKE_CONFIG."""

    def __init__(self, client: "SageMakerRuntimeClient") -> None:
        self._client = client

    @property
    def max_body_bytes(self) -> int:
        """The largest input in a request; 0 if this botocore does not know the Body parameter."""
        request = self._client.meta.service_model.operation_model("InvokeEndpointAsync").input_shape
        assert request is not None
        return MAX_INLINE_INPUT_BYTES if "Body" in request.members else 0

    def invoke(self, invocation: Invocation) -> InvocationResponse:
        """Call InvokeEndpointAsync once.

        Raises InvocationRejected or Unavailable if nothing was invoked, InvocationUnconfirmed if
        that is unknown.
        """
        try:
            response = self._client.invoke_endpoint_async(**_request(invocation))
        except ClientError as error:
            raise _invocation_error(error) from error
        except (EndpointConnectionError, ConnectTimeoutError) as error:
            raise Unavailable("sagemaker", type(error).__name__) from error
        except (HTTPClientError, NoConnectionError, HTTPError, ResponseParserError) as error:
            raise InvocationUnconfirmed from error
        except BotoCoreError as error:
            # For example no credentials, or a parameter that this botocore does not know.
            raise InvocationRejected(type(error).__name__, "botocore sent no request") from error
        return InvocationResponse(
            invoked_at=response_time(response["ResponseMetadata"]) or datetime.now(UTC),
            output_location=response.get("OutputLocation"),
            failure_location=response.get("FailureLocation"),
        )


def response_time(metadata: "ResponseMetadataTypeDef") -> datetime | None:
    """Read the time of a response from its `Date` header: AWS's clock, in whole seconds.

    None if the header is missing or invalid.
    """
    try:
        return parsedate_to_datetime(metadata["HTTPHeaders"]["date"])
    except (KeyError, ValueError):
        return None


def _request(invocation: Invocation) -> Any:
    members = {
        "EndpointName": invocation.endpoint_name,
        "InferenceId": invocation.inference_id,
        "Body": invocation.body,
        "InputLocation": invocation.input_location,
        "ContentType": invocation.content_type,
        "Accept": invocation.accept,
        "CustomAttributes": invocation.custom_attributes,
        "RequestTTLSeconds": invocation.request_ttl_seconds,
        "InvocationTimeoutSeconds": invocation.invocation_timeout_seconds,
    }
    return {name: value for name, value in members.items() if value is not None}


def _invocation_error(
    error: ClientError,
) -> InvocationRejected | InvocationUnconfirmed | Unavailable:
    """Translate an error response.

    SageMaker invokes nothing if it throttles the call, is unavailable (503) or rejects the request.
    After any other 5xx status, it is unknown whether it invoked the model.
    """
    code = error.response["Error"]["Code"]
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    if status == HTTPStatus.SERVICE_UNAVAILABLE or status == HTTPStatus.TOO_MANY_REQUESTS:
        return Unavailable("sagemaker", code)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return InvocationUnconfirmed()
    if is_transient(error):
        return Unavailable("sagemaker", code)
    return InvocationRejected(code, error.response["Error"].get("Message", ""))
