"""The SageMaker SDK's AsyncInferenceResponse, so that waiting for its result ends.

Works with the SDK's versions 2 and 3, and imports neither. The SDK's own `get_result(WaiterConfig)`
looks for two objects in S3, and an inference that expired writes none of them: version 3 then waits
for ever. The SDK drops the id that SageMaker gave to the inference, so choose one:

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

from inference_results.adapters.aws.calls import translate_unavailable
from inference_results.adapters.s3 import S3Objects
from inference_results.client.errors import InferenceFailed, OutputUnavailable, WaitTimeout
from inference_results.client.records import Inference
from inference_results.contract import Status
from inference_results.domain.record.errors import OutputUnreadable, Unavailable
from inference_results.domain.record.failure import MAX_REASON, classify
from inference_results.domain.record.location import parse_location

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import GetObjectOutputTypeDef

_NOT_YET: Final = frozenset({"NoSuchKey", "AccessDenied"})
"""S3 says AccessDenied of a missing object to a caller who may not list the bucket."""

_FIRST_PAUSE_SECONDS: Final = 0.5
_LONGEST_PAUSE_SECONDS: Final = 15


class AsyncInferenceResponse(Protocol):
    """What the SDK's `AsyncPredictor.predict_async` returned."""

    @property
    def predictor_async(self) -> Any: ...

    @property
    def output_path(self) -> str: ...

    @property
    def failure_path(self) -> str | None: ...


class Service(Protocol):
    """The methods of Client that are needed here."""

    def wait(
        self, inference_id: str, timeout: float, *, endpoint: str | None = None
    ) -> Inference: ...

    def output(
        self, inference_id: str, *, endpoint: str | None = None, max_bytes: int | None = ...
    ) -> bytes: ...


class NothingArrived(WaitTimeout):
    """Neither of the two objects came in time, and S3 cannot tell whether one still may.

    `pending` holds the output's location. `__cause__` is what S3 said of it the last time.
    """

    def _text(self) -> str:
        return (
            f"{self.pending[0]}: neither an output nor a failure within {self.timeout:g} s; "
            "whether the inference has ended can only be told by its inference_id"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictorResponse:
    """A response of the SDK, and the inference that it belongs to."""

    service: Service
    response: AsyncInferenceResponse
    inference_id: str | None = None
    endpoint: str | None = None

    def get_result(self, timeout: float) -> Any:
        """What the SDK's own `get_result` would return; ends within `timeout` seconds.

        Without an inference_id only the two objects can be looked at, with the predictor's S3
        client: an inference that expired or was lost then ends as WaitTimeout, and in a failure
        the output's location stands for the id.

        Raises InferenceFailed (InferenceExpired, InferenceLost), WaitTimeout or OutputUnavailable;
        with an inference_id whatever `Client.wait` and `Client.output` raise.
        """
        if self.inference_id is None:
            return self._deserialized(self._promised_objects().await_output(timeout))
        inference = self.service.wait(self.inference_id, timeout, endpoint=self.endpoint)
        inference.raise_for_status()
        # The SDK reads an output of any size.
        body = self.service.output(
            self.inference_id, endpoint=inference.endpoint_name, max_bytes=None
        )
        content_type = inference.output.content_type if inference.output else None
        return self._deserialized(
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

    def _deserialized(self, answer: Any) -> Any:
        """`answer` has the shape of S3's GetObject."""
        # Private, but what the SDK's own get_result calls in both versions, so every predictor has
        # it. A deserializer need not be there: version 3 brings no class of predictors any more.
        return self.response.predictor_async.predictor._handle_response(answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class PromisedObjects:
    """The two places of which one gets an object, unless the inference expires or is lost."""

    s3: "S3Client"
    endpoint_name: str
    output_path: str
    failure_path: str | None
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def await_output(self, timeout: float) -> "GetObjectOutputTypeDef":
        """S3's answer to GetObject of the output, within `timeout` seconds and one look.

        Raises InferenceFailed, NothingArrived or OutputUnavailable.
        """
        deadline = self.clock() + timeout
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                return self._look()
            except (OutputUnreadable, Unavailable) as error:
                left = deadline - self.clock()
                if left <= 0:
                    raise NothingArrived(timeout, pending=[self.output_path]) from error
            self.sleep(min(left, pause * random.uniform(0.5, 1)))  # noqa: S311 - only a jitter
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    def _look(self) -> "GetObjectOutputTypeDef":
        """Raises OutputUnreadable or Unavailable as long as another look may find an object."""
        objects = S3Objects(self.s3)
        try:
            output = parse_location(self.output_path)
            objects.read_start(output, 1)
        except OutputUnreadable as error:
            if error.code not in _NOT_YET:
                raise OutputUnavailable(self.output_path, error.code, error.message) from error
            self._look_for_failure(objects)
            raise
        with translate_unavailable("s3"):
            return self.s3.get_object(Bucket=output.bucket, Key=output.key)

    def _look_for_failure(self, objects: S3Objects) -> None:
        if self.failure_path is None:
            return
        # Whatever is wrong with this place, the output may still come.
        with suppress(OutputUnreadable):
            start = objects.read_start(parse_location(self.failure_path), MAX_REASON + 1)
            reason = start.body.decode(errors="replace")
            raise InferenceFailed(
                Inference(
                    inference_id=self.output_path,
                    endpoint_name=self.endpoint_name,
                    status=Status.FAILED,
                    failure=classify(Status.FAILED, reason),
                )
            )
