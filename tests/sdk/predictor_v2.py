"""A predictor of version 2 of the SageMaker SDK."""

from sagemaker.async_inference import WaiterConfig
from sagemaker.deserializers import NumpyDeserializer
from sagemaker.predictor import Predictor
from sagemaker.predictor_async import AsyncPredictor
from sagemaker.serializers import JSONSerializer
from sagemaker.session import Session

__all__ = ["WaiterConfig", "async_predictor"]


def async_predictor(endpoint_name):
    """Send JSON and receive arrays. The deserializer depends on the output's content type."""
    deserializer = NumpyDeserializer(accept="application/json")
    return AsyncPredictor(Predictor(endpoint_name, Session(), JSONSerializer(), deserializer))
