"""The HTTP API: how a question is put to it, and what its answer means. No connection is made."""

import json
import re
import ssl
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from http import HTTPStatus
from math import isfinite
from typing import Any, Final
from urllib.parse import quote, urlencode

import httpx

from inference_results.client.errors import (
    AmbiguousInference,
    IdempotencyKeyReused,
    InvalidRequest,
    InvocationRejected,
    NoOutput,
    NotAuthorized,
    NotFound,
    OutputRemoved,
    OutputUnavailable,
    RecordExpired,
    ServiceUnavailable,
    UnexpectedResponse,
)
from inference_results.client.flows.requests import (
    GetOutput,
    GetRecord,
    GetRecords,
    GetSummary,
    ListRecords,
    OutputInline,
    OutputLink,
    Register,
    ServiceRequest,
    ServiceResponse,
    Submit,
)
from inference_results.client.transports.request_body import add_input
from inference_results.contract import INLINE_OUTPUT_HEADER, Problem
from inference_results.domain.record.errors import InferenceResultsError

_ANSWERED: Final = (HTTPStatus.OK, HTTPStatus.CREATED)
_REFUSED: Final = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_REDIRECTS: Final = (HTTPStatus.TEMPORARY_REDIRECT, HTTPStatus.FOUND, HTTPStatus.SEE_OTHER)
_HEADERS: Final = {
    "accept": "application/json, application/problem+json, */*;q=0.1",
    "user-agent": "async-inference-results",
}
_WHY: Final = re.compile(r'error_description="([^"]*)"')
_CONNECT_SECONDS: Final = 5.0
_ANSWER_SECONDS: Final = 10.0
"""Beyond what the service may hold a question open: a cold start, and the way there and back."""
_SUBMITTING_SECONDS: Final = 30.0
"""What API Gateway gives a function: it may upload the input, and call SageMaker."""


@dataclass(frozen=True, slots=True)
class Api:
    """An API by its URL, without a slash at the end.

    Ids go into the query, never into the path: API Gateway decodes a path before it routes.
    """

    url: str

    @classmethod
    def at(cls, url: str) -> "Api":
        """Raises InvalidRequest if the text is no URL of HTTP."""
        try:
            parsed = httpx.URL(url)
        except httpx.InvalidURL as error:
            raise InvalidRequest("expected a URL", "api_url") from error
        if parsed.scheme not in ("https", "http") or not parsed.host or parsed.query:
            raise InvalidRequest("expected https://host, or more without a query", "api_url")
        return cls(url.rstrip("/"))

    def request(self, question: ServiceRequest) -> httpx.Request:
        match question:
            case GetRecord(inference_id, endpoint, wait):
                query = {"id": inference_id, "endpoint": endpoint, "wait": _seconds(wait)}
                return self._get("/inference", query, wait)
            case GetOutput(inference_id, endpoint):
                return self._get("/inference/output", {"id": inference_id, "endpoint": endpoint})
            case GetRecords(inference_ids, endpoint, wait):
                asked = {"inference_ids": inference_ids, "wait": round(wait, 3)}
                if endpoint is not None:
                    asked["endpoint"] = endpoint
                return self._send("POST", "/inferences:batchGet", asked, wait)
            case ListRecords():
                return self._get("/inferences", _page_query(question))
            case GetSummary(endpoint, since, until):
                path = f"/endpoints/{quote(endpoint, safe='')}/summary"
                return self._get(path, {"since": since, "until": until})
            case Register(inference_id, members):
                return self._send("PUT", f"/inference?{_encoded({'id': inference_id})}", members)
            case Submit(members, body):
                request = members if body is None else add_input(members, body)
                return self._send("POST", "/inferences", request, _SUBMITTING_SECONDS)

    def _get(self, path: str, query: Mapping[str, str | None], wait: float = 0) -> httpx.Request:
        given = {name: value for name, value in query.items() if value is not None}
        url = f"{self.url}{path}?{_encoded(given)}" if given else f"{self.url}{path}"
        return httpx.Request("GET", url, headers=_HEADERS, extensions=_timeouts(wait))

    def _send(
        self, method: str, path: str, members: Mapping[str, Any], wait: float = 0
    ) -> httpx.Request:
        return httpx.Request(
            method,
            f"{self.url}{path}",
            headers=_HEADERS | {"content-type": "application/json"},
            content=json.dumps(members).encode(),
            extensions=_timeouts(wait),
        )


def parse_response(question: ServiceRequest, response: httpx.Response) -> ServiceResponse:
    """What an answer, read to its end, means."""
    if isinstance(question, GetOutput):
        if response.status_code in _REDIRECTS and (url := response.headers.get("location")):
            return OutputLink(url)
        if response.status_code == HTTPStatus.OK and _is_output(response):
            return OutputInline(response.content, response.headers.get("content-type"))
    document = _json_object(response)
    is_answer = response.status_code in _ANSWERED and not isinstance(question, GetOutput)
    if is_answer and document is not None:
        return document
    return _error(question, response, document or {})


def _is_output(response: httpx.Response) -> bool:
    return bool(response.headers.get(INLINE_OUTPUT_HEADER) == "inline")


def connection_error(error: Exception) -> InferenceResultsError:
    """What it means that no answer, or no whole answer, came."""
    if isinstance(error, httpx.LocalProtocolError):
        # Without the cause, which shows the header that cannot be sent: it may be a secret.
        return InvalidRequest("such a request cannot be sent")
    if _is_distrust(error):
        told: InferenceResultsError = InvalidRequest(
            "expected the certificates that vouch for the server", "verify"
        )
    else:
        told = ServiceUnavailable(f"no answer: {type(error).__name__}")
    told.__cause__ = error
    return told


def _is_distrust(error: BaseException | None) -> bool:
    """Whether a certificate is why: no retry helps. What the socket raised lies below httpx's."""
    while error and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    return isinstance(error, ssl.SSLCertVerificationError)


def _error(
    question: ServiceRequest, response: httpx.Response, document: Mapping[str, Any]
) -> InferenceResultsError:
    status = response.status_code
    if told := _problem(getattr(question, "inference_id", ""), document):
        return told
    if status in _REFUSED:
        return NotAuthorized(_refusal(response, document), status)
    if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        wait = _retry_after(response.headers.get("retry-after"))
        return ServiceUnavailable(f"the API answers {status}", status, wait)
    return UnexpectedResponse(f"HTTP {status}: is api_url the URL of such an API?", status)


def _problem(inference_id: str, document: Mapping[str, Any]) -> InferenceResultsError | None:
    """What a problem document tells; None if it tells no more than its status does."""
    detail = str(document.get("detail", ""))
    match document.get("type"):
        case Problem.UNKNOWN_INFERENCE:
            return NotFound(inference_id)
        case Problem.RECORD_EXPIRED:
            return RecordExpired(inference_id, document.get("expired_at"))
        case Problem.AMBIGUOUS_INFERENCE:
            return AmbiguousInference(inference_id, document.get("endpoints", ()))
        case Problem.INVALID_PARAMETER:
            expected = document.get("expected")
            detail = f"expected {expected}" if expected else detail
            return InvalidRequest(detail, document.get("parameter"))
        case Problem.NO_OUTPUT:
            return NoOutput(inference_id, str(document.get("inference_status")))
        case Problem.OUTPUT_UNAVAILABLE:
            return OutputUnavailable(inference_id, str(document.get("code")), detail)
        case Problem.OUTPUT_REMOVED:
            return OutputRemoved(inference_id)
        case Problem.KEY_REUSED:
            return IdempotencyKeyReused(str(document.get("inference_id")))
        case Problem.INVOCATION_REJECTED:
            return InvocationRejected(str(document.get("code")), detail)
    return None


def _refusal(response: httpx.Response, document: Mapping[str, Any]) -> str:
    """API Gateway tells why a token was refused in a header, and of IAM in the body."""
    if response.status_code == HTTPStatus.UNAUTHORIZED:
        found = _WHY.search(response.headers.get("www-authenticate", ""))
        why = found[1] if found else "missing, expired or not accepted"
        return f"the token: {why}"
    why = document.get("message") or document.get("Message") or "Forbidden"
    return f"not allowed to ask (execute-api:Invoke), or the credentials have expired: {why}"


def _retry_after(text: str | None) -> float | None:
    """Seconds; None for a date, which AWS does not send."""
    try:
        seconds = float(text or "")
    except ValueError:
        return None
    return seconds if isfinite(seconds) and seconds >= 0 else None


def _json_object(response: httpx.Response) -> dict[str, Any] | None:
    try:
        document = response.json()
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _encoded(query: Mapping[str, str]) -> str:
    """Strictly, a space as %20: what is sent is what is signed."""
    return urlencode(query, quote_via=quote, safe="")


def _page_query(page: ListRecords) -> dict[str, str | None]:
    return asdict(page) | {"limit": str(page.limit)}


def _seconds(wait: float) -> str | None:
    return f"{wait:.3f}" if wait else None


def _timeouts(wait: float) -> dict[str, Any]:
    timeout = httpx.Timeout(wait + _ANSWER_SECONDS, connect=_CONNECT_SECONDS)
    return {"timeout": timeout.as_dict()}
