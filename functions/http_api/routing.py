"""Routes, parameters and problems of the functions behind the HTTP API."""

from collections.abc import Callable
from typing import Any, TypeAlias

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.http_api.problems import register_problems
from functions.http_api.requests import parse_body, parse_query
from functions.http_api.stopwatch import Stopwatch
from functions.telemetry.log_fields import inference_fields
from functions.telemetry.metrics import InvocationMetrics, known_or_other
from inference_results.contract import Dimension, Metric, Route

_Handler: TypeAlias = Callable[[], Response[Any]]


class HttpApi:
    """Dispatches requests to the routes that the contract names."""

    def __init__(self, *, stopwatch: Stopwatch, logger: Logger) -> None:
        self._stopwatch = stopwatch
        self._logger = logger
        self._resolver = APIGatewayHttpResolver()
        register_problems(self._resolver, logger)

    def route(self, route: Route) -> Callable[[_Handler], _Handler]:
        """Decorate the handler of a route."""
        method, path = route.split(" ")
        return self._resolver.route(path, method=method)

    @property
    def event(self) -> Any:
        """The current request, as Powertools parses it."""
        return self._resolver.current_event

    def path_parameter(self, name: str) -> str:
        value: str = self.event.path_parameters[name]
        return value

    def query(self, route: Route) -> dict[str, Any]:
        """The query parameters of the current request. Raises InvalidParameter."""
        return parse_query(route, self.event.raw_query_string or "")

    def body(self) -> dict[str, Any]:
        """The JSON body of the current request. Raises InvalidParameter."""
        is_base64 = bool(self.event.is_base64_encoded)
        return parse_body(self.event.body or "", is_base64=is_base64)

    def log_inference(self, inference_id: Any, endpoint: Any) -> None:
        """Add the inference to every further log line of this request."""
        self._logger.append_keys(**inference_fields(inference_id, endpoint))

    def resolve(self, event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
        """Handle one request of an HTTP API (payload format 2.0)."""
        route = known_or_other(tuple(Route), event["routeKey"])
        self._stopwatch.start()
        try:
            response = self._response(event, context)
        finally:
            latency_ms = self._stopwatch.elapsed_ms
            metrics = InvocationMetrics()
            metrics.add(Metric.LATENCY, latency_ms, (Dimension.ROUTE, route))
            metrics.emit()
        fields = {"route": route, "status_code": response["statusCode"], "latency_ms": latency_ms}
        self._logger.debug("request handled", extra=fields)
        return response

    def _response(self, event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
        # API Gateway has chosen the route already. The raw path can begin with a custom domain's
        # mapping, and an inference id in it can contain what Powertools' patterns do not match.
        _, route = event["routeKey"].split(" ")
        return self._resolver.resolve(event | {"rawPath": route}, context)
