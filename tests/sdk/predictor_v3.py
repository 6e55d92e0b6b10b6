"""A predictor of version 3 of the SageMaker SDK, whose AsyncPredictor has no predictor to wrap."""

from sagemaker.core.deserializers import NumpyDeserializer
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.serializers import JSONSerializer
from sagemaker.serve.async_inference import WaiterConfig
from sagemaker.serve.predictor_async import AsyncPredictor

__all__ = ["WaiterConfig", "async_predictor"]


class Predictor:
    """The part of version 2's Predictor that AsyncPredictor uses."""

    def __init__(self, endpoint_name, sagemaker_session, serializer, deserializer):
        self.endpoint_name = endpoint_name
        self.sagemaker_session = sagemaker_session
        self.serializer = serializer
        self.deserializer = deserializer
        self.accept = deserializer.ACCEPT

    def _handle_response(self, response):
        content_type = response.get("ContentType", "application/octet-stream")
        return self.deserializer.deserialize(response["Body"], content_type)


def async_predictor(endpoint_name):
    """Send JSON and receive arrays. The deserializer depends on the output's content type."""
    deserializer = NumpyDeserializer(accept="application/json")
    return AsyncPredictor(Predictor(endpoint_name, Session(), JSONSerializer(), deserializer))
