"""Wait for a result of the SageMaker SDK's AsyncPredictor, without waiting forever.

Works with versions 2 and 3 of the SDK, and imports neither. The SDK's own
`get_result(WaiterConfig)` polls two objects in S3. An expired inference writes neither of them, and
version 3 then waits forever. The SDK drops the id that SageMaker assigns, so choose one yourself:

    inference_id = str(uuid.uuid4())
    response = predictor.predict_async(data, inference_id=inference_id)
    result = client.from_predictor_response(response, inference_id=inference_id).get_result(600)
"""

import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final, Protocol

from botocore.response import StreamingBody

from inference_results.adapters.aws.errors import translate_unavailable
from inference_results.adapters.s3 import S3Objects
from inference_results.client.errors import InferenceFailed, OutputUnavailable, WaitTimeout
from inference_results.client.records import Inference
from inference_results.contract import Status
from inference_results.domain.record.errors import OutputUnreadable, Unavailable
from inference_results.domain.record.failure import MAX_REASON_CHARACTERS, classify
from inference_results.domain.record.location import parse_location

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import GetObjectOutputTypeDef

_NOT_WRITTEN_CODES: Final = frozenset({"NoSuchKey", "AccessDenied"})
"""S3 returns AccessDenied for a missing object if the caller is not allowed to list the bucket."""

_BASE_DELAY_SECONDS: Final = 0.5
_MAX_DELAY_SECONDS: Final = 15


class AsyncInferenceResponse(Protocol):
    """The return value of the SDK's `AsyncPredictor.predict_async`."""

    @property
    def predictor_async(self) -> Any: ...

    @property
    def output_path(self) -> str: ...

    @property
    def failure_path(self) -> str | None: ...


class WaitingClient(Protocol):
    """The methods of Client that PredictorResponse needs."""

    def wait(
        self, inference_id: str, timeout: float, *, endpoint: str | None = None
    ) -> Inference: ...

    def output(
        self, inference_id: str, *, endpoint: str | None = None, max_bytes: int | None = ...
    ) -> bytes: ...


class S3WaitTimeout(WaitTimeout):
    """Neither object appeared in time. Pass an `inference_id` to detect an expired inference.

    `pending` holds the output location. `__cause__` is S3's last error.
    """

    def _message(self) -> str:
        return (
            f"{self.pending[0]}: neither an output nor a failure within {self.timeout:g} s;"
            " pass inference_id to detect an inference that has expired"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictorResponse:
    """A response of the SDK together with the id of its inference."""

    client: WaitingClient
    response: AsyncInferenceResponse
    inference_id: str | None = None
    endpoint: str | None = None

    def get_result(self, timeout: float) -> Any:
        """Return what the SDK's own `get_result` returns, within `timeout` seconds.

        Without an `inference_id`, this polls the two objects with the predictor's S3 client. An
        expired or lost inference then raises WaitTimeout, and a failure has the output location in
        place of the id.

        Raises InferenceFailed (InferenceExpired, InferenceLost), WaitTimeout or OutputUnavailable;
        with an `inference_id`, everything that `Client.wait` and `Client.output` raise.
        """
        if self.inference_id is None:
            return self._deserialize(self._promised_objects().wait_for_output(timeout))
        inference = self.client.wait(self.inference_id, timeout, endpoint=self.endpoint)
        inference.raise_for_status()
        # No limit: the SDK reads outputs of any size.
        body = self.client.output(
            self.inference_id, endpoint=inference.endpoint_name, max_bytes=None
        )
        content_type = inference.output.content_type if inference.output else None
        return self._deserialize(
            {
                "Body": StreamingBody(BytesIO(body), len(body)),
                **({"ContentType": content_type} if content_type else {}),
            }
        )

    def _promised_objects(self) -> "PromisedObjects":
        return PromisedObjects(
            s3=self.response.predictor_async.s3_client,
            endpoint_name=self.response.predictor_async.endpoint_name,
            output_path=self.response.output_path,
            failure_path=self.response.failure_path,
        )

    def _deserialize(self, get_object_response: Any) -> Any:
        # A private method, but the SDK's own get_result calls it in both versions, so every
        # predictor has it. A public deserializer is not certain: version 3 has no predictor class.
        return self.response.predictor_async.predictor._handle_response(get_object_response)


@dataclass(frozen=True, slots=True, kw_only=True)
class PromisedObjects:
    """The output and failure objects in S3, of which an inference writes at most one."""

    s3: "S3Client"
    endpoint_name: str
    output_path: str
    failure_path: str | None
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def wait_for_output(self, timeout: float) -> "GetObjectOutputTypeDef":
        """Return S3's GetObject response for the output. Ends at most one poll after `timeout`.

        Raises InferenceFailed, S3WaitTimeout or OutputUnavailable.
        """
        deadline = self.clock() + timeout
        delay = _BASE_DELAY_SECONDS
        while True:
            try:
                return self._poll()
            except (OutputUnreadable, Unavailable) as error:
                left = deadline - self.clock()
                if left <= 0:
                    raise S3WaitTimeout(timeout, pending=[self.output_path]) from error
            self.sleep(min(left, delay * random.uniform(0.5, 1)))  # noqa: S311 - only jitter
            delay = min(2 * delay, _MAX_DELAY_SECONDS)

    def _poll(self) -> "GetObjectOutputTypeDef":
        """Raises OutputUnreadable or Unavailable if a later poll can find an object."""
        objects = S3Objects(self.s3)
        try:
            output = parse_location(self.output_path)
            objects.read_start(output, 1)
        except OutputUnreadable as error:
            if error.code not in _NOT_WRITTEN_CODES:
                raise OutputUnavailable(self.output_path, error.code, error.message) from error
            self._raise_failure(objects)
            raise
        with translate_unavailable("s3"):
            return self.s3.get_object(Bucket=output.bucket, Key=output.key)

    def _raise_failure(self, objects: S3Objects) -> None:
        """Raise InferenceFailed if the failure object exists."""
        if self.failure_path is None:
            return
        # Ignore errors of the failure location: the output can still appear.
        with suppress(OutputUnreadable):
            start = objects.read_start(parse_location(self.failure_path), MAX_REASON_CHARACTERS + 1)
            reason = start.body.decode(errors="replace")
            raise InferenceFailed(
                Inference(
                    inference_id=self.output_path,
                    endpoint_name=self.endpoint_name,
                    status=Status.FAILED,
                    failure=classify(Status.FAILED, reason),
                )
            )
