"""What the functions behind the HTTP API have in common: routes, their parameters, problems."""

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

_Answer: TypeAlias = Callable[[], Response[Any]]


class HttpApi:
    """Routes as the contract names them."""

    def __init__(self, *, stopwatch: Stopwatch, logger: Logger) -> None:
        self._stopwatch = stopwatch
        self._logger = logger
        self._resolver = APIGatewayHttpResolver()
        register_problems(self._resolver, logger)

    def on(self, route: Route) -> Callable[[_Answer], _Answer]:
        """Powertools' decorator for a route."""
        method, path = route.split(" ")
        return self._resolver.route(path, method=method)

    @property
    def event(self) -> Any:
        """The request that is being answered."""
        return self._resolver.current_event

    def path(self, name: str) -> str:
        """A parameter in the path."""
        value: str = self.event.path_parameters[name]
        return value

    def query(self, route: Route) -> dict[str, Any]:
        """The parameters in the query. Raises InvalidParameter."""
        return parse_query(route, self.event.raw_query_string or "")

    def members(self) -> dict[str, Any]:
        """The members of the body. Raises InvalidParameter."""
        is_base64 = bool(self.event.is_base64_encoded)
        return parse_body(self.event.body or "", is_base64=is_base64)

    def about(self, inference_id: Any, endpoint: Any) -> None:
        """Name the inference in what is logged of this request."""
        self._logger.append_keys(**inference_fields(inference_id, endpoint))

    def resolve(self, event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
        """Answer one request of an HTTP API (payload format 2.0)."""
        route = known_or_other(tuple(Route), event["routeKey"])
        self._stopwatch.start()
        try:
            answer = self._resolved(event, context)
        finally:
            latency_ms = self._stopwatch.elapsed_ms
            measured = InvocationMetrics()
            measured.add(Metric.LATENCY, latency_ms, (Dimension.ROUTE, route))
            measured.emit()
        told = {"route": route, "status_code": answer["statusCode"], "latency_ms": latency_ms}
        self._logger.debug("answered", extra=told)
        return answer

    def _resolved(self, event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
        # API Gateway has routed already, and names the route. Its path may begin with the mapping
        # of a custom domain, and an inference id in it may hold what Powertools' own patterns
        # refuse.
        _, route = event["routeKey"].split(" ")
        return self._resolver.resolve(event | {"rawPath": route}, context)
