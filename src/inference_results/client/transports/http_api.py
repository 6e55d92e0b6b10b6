"""Build requests to the HTTP API and parse its responses. Makes no connection."""

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

_SUCCESS: Final = (HTTPStatus.OK, HTTPStatus.CREATED)
_ACCESS_DENIED: Final = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_REDIRECTS: Final = (HTTPStatus.TEMPORARY_REDIRECT, HTTPStatus.FOUND, HTTPStatus.SEE_OTHER)
_HEADERS: Final = {
    "accept": "application/json, application/problem+json, */*;q=0.1",
    "user-agent": "async-inference-results",
}
_ERROR_DESCRIPTION: Final = re.compile(r'error_description="([^"]*)"')
_CONNECT_SECONDS: Final = 5.0
_RESPONSE_SECONDS: Final = 10.0
"""Allowed in addition to a request's `wait`: a cold start and the network."""
_SUBMIT_SECONDS: Final = 30.0
"""API Gateway's limit. The function can have to upload the input before it calls SageMaker."""


@dataclass(frozen=True, slots=True)
class Api:
    """Builds requests to an API. `url` has no slash at the end.

    Ids are sent in the query, because API Gateway decodes a path before it routes the request.
    """

    url: str

    @classmethod
    def from_url(cls, url: str) -> "Api":
        """Validate the URL. Raises InvalidRequest."""
        try:
            parsed = httpx.URL(url)
        except httpx.InvalidURL as error:
            raise InvalidRequest("expected a URL, https://host", "api_url") from error
        if parsed.scheme not in ("https", "http") or not parsed.host or parsed.query:
            raise InvalidRequest("expected a URL without a query, https://host", "api_url")
        return cls(url.rstrip("/"))

    def build_request(self, request: ServiceRequest) -> httpx.Request:
        match request:
            case GetRecord(inference_id, endpoint, wait):
                query = {"id": inference_id, "endpoint": endpoint, "wait": _wait_parameter(wait)}
                return self._get("/inference", query, wait)
            case GetOutput(inference_id, endpoint):
                return self._get("/inference/output", {"id": inference_id, "endpoint": endpoint})
            case GetRecords(inference_ids, endpoint, wait):
                members = {"inference_ids": inference_ids, "wait": round(wait, 3)}
                if endpoint is not None:
                    members["endpoint"] = endpoint
                return self._send_json("POST", "/inferences:batchGet", members, wait)
            case ListRecords():
                return self._get("/inferences", _list_query(request))
            case GetSummary(endpoint, since, until):
                path = f"/endpoints/{quote(endpoint, safe='')}/summary"
                return self._get(path, {"since": since, "until": until})
            case Register(inference_id, members):
                path = f"/inference?{_encode_query({'id': inference_id})}"
                return self._send_json("PUT", path, members)
            case Submit(members, body):
                content = members if body is None else add_input(members, body)
                return self._send_json("POST", "/inferences", content, _SUBMIT_SECONDS)

    def _get(self, path: str, query: Mapping[str, str | None], wait: float = 0) -> httpx.Request:
        given = {name: value for name, value in query.items() if value is not None}
        url = f"{self.url}{path}?{_encode_query(given)}" if given else f"{self.url}{path}"
        return httpx.Request("GET", url, headers=_HEADERS, extensions=_timeouts(wait))

    def _send_json(
        self, method: str, path: str, members: Mapping[str, Any], wait: float = 0
    ) -> httpx.Request:
        return httpx.Request(
            method,
            f"{self.url}{path}",
            headers=_HEADERS | {"content-type": "application/json"},
            content=json.dumps(members).encode(),
            extensions=_timeouts(wait),
        )


def parse_response(request: ServiceRequest, http_response: httpx.Response) -> ServiceResponse:
    """Parse a response that has been read completely."""
    if isinstance(request, GetOutput):
        if http_response.status_code in _REDIRECTS and (
            url := http_response.headers.get("location")
        ):
            return OutputLink(url)
        if http_response.status_code == HTTPStatus.OK and _is_inline_output(http_response):
            return OutputInline(http_response.content, http_response.headers.get("content-type"))
    document = _json_object(http_response)
    is_success = http_response.status_code in _SUCCESS and not isinstance(request, GetOutput)
    if is_success and document is not None:
        return document
    return _parse_error(request, http_response, document or {})


def connection_error(error: Exception) -> InferenceResultsError:
    """Return the client error for a request without a complete response."""
    if isinstance(error, httpx.LocalProtocolError):
        # Without the cause: its message shows the invalid header, which can be a secret.
        return InvalidRequest("the request cannot be sent: check the token and the URL")
    translated: InferenceResultsError
    if _is_certificate_error(error):
        translated = InvalidRequest(
            "expected the CA certificates of the server, which is not trusted", "verify"
        )
    else:
        detail = f"no response ({type(error).__name__}): check the URL and the network"
        translated = ServiceUnavailable(detail)
    translated.__cause__ = error
    return translated


def _is_inline_output(http_response: httpx.Response) -> bool:
    return bool(http_response.headers.get(INLINE_OUTPUT_HEADER) == "inline")


def _is_certificate_error(error: BaseException | None) -> bool:
    """Look for the socket's error below httpx's. No retry helps if a certificate is rejected."""
    while error and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    return isinstance(error, ssl.SSLCertVerificationError)


def _parse_error(
    request: ServiceRequest, http_response: httpx.Response, document: Mapping[str, Any]
) -> InferenceResultsError:
    status = http_response.status_code
    if error := _parse_problem(getattr(request, "inference_id", ""), document):
        return error
    if status in _ACCESS_DENIED:
        return NotAuthorized(_denial(http_response, document), status)
    if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        retry_after = _parse_retry_after(http_response.headers.get("retry-after"))
        return ServiceUnavailable(f"the API responded with {status}", status, retry_after)
    return UnexpectedResponse(f"HTTP {status} is not a response of this API: check api_url", status)


def _parse_problem(inference_id: str, document: Mapping[str, Any]) -> InferenceResultsError | None:
    """Return the error for a problem document, or None if its type adds nothing to the status."""
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


def _denial(http_response: httpx.Response, document: Mapping[str, Any]) -> str:
    """API Gateway explains a rejected token in a header, and a denial by IAM in the body."""
    if http_response.status_code == HTTPStatus.UNAUTHORIZED:
        found = _ERROR_DESCRIPTION.search(http_response.headers.get("www-authenticate", ""))
        reason = found[1] if found else "missing, expired or not accepted"
        return f"the token was rejected: {reason}"
    reason = document.get("message") or document.get("Message") or "Forbidden"
    return f"execute-api:Invoke: access denied, or the credentials have expired: {reason}"


def _parse_retry_after(text: str | None) -> float | None:
    """Return seconds. Returns None for a date, which AWS does not send."""
    try:
        seconds = float(text or "")
    except ValueError:
        return None
    return seconds if isfinite(seconds) and seconds >= 0 else None


def _json_object(http_response: httpx.Response) -> dict[str, Any] | None:
    try:
        document = http_response.json()
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _encode_query(query: Mapping[str, str]) -> str:
    """Percent-encode everything, a space as %20: the signature covers the query as it is sent."""
    return urlencode(query, quote_via=quote, safe="")


def _list_query(request: ListRecords) -> dict[str, str | None]:
    return asdict(request) | {"limit": str(request.limit)}


def _wait_parameter(wait: float) -> str | None:
    return f"{wait:.3f}" if wait else None


def _timeouts(wait: float) -> dict[str, Any]:
    timeout = httpx.Timeout(wait + _RESPONSE_SECONDS, connect=_CONNECT_SECONDS)
    return {"timeout": timeout.as_dict()}
