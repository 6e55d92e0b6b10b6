"""What the functions behind the HTTP API have in common: routes, their parameters, problems."""

from collections.abc import Callable
from typing import Any, TypeAlias

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.utilities.typing import LambdaContext

from inference_results.contract import Route
from inference_results.handlers.problems import answer_with_problems
from inference_results.handlers.questions import read_members, read_query

_Answer: TypeAlias = Callable[[], Response[Any]]


class HttpApi:
    """Routes as the contract names them."""

    def __init__(self) -> None:
        self._resolver = APIGatewayHttpResolver()
        answer_with_problems(self._resolver)

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
        return read_query(route, self.event.raw_query_string or "")

    def members(self) -> dict[str, Any]:
        """The members of the body. Raises InvalidParameter."""
        is_base64 = bool(self.event.is_base64_encoded)
        return read_members(self.event.body or "", is_base64=is_base64)

    def resolve(self, event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
        """Answer one request of an HTTP API (payload format 2.0)."""
        # API Gateway has routed already, and names the route. Its path may begin with the mapping
        # of a custom domain, and an inference id in it may hold what Powertools' own patterns
        # refuse.
        _, route = event["routeKey"].split(" ")
        return self._resolver.resolve(event | {"rawPath": route}, context)
