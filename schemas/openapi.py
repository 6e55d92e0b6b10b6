"""Generate the OpenAPI 3.1 document of the HTTP API.

This module defines operations and problems. Parameters come from the domain, and response schemas
from `components`.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from functions.http_api.requests import QUERY_PARAMETERS, Parameter
from inference_results.contract import INLINE_OUTPUT_HEADER, Problem, Route
from inference_results.domain.queries.output import LINK_SECONDS
from inference_results.domain.record.parameters import (
    ENDPOINT,
    ENDPOINT_NAME,
    ID,
    INFERENCE_ID,
    INPUT,
    MAX_BATCH,
    MAX_INLINE_INPUT_BYTES,
    REGISTRATION,
    SUBMISSION,
    WAIT,
    BodySchema,
)
from schemas.components import TEXT, TIMESTAMP, content_schema, record_schemas, reference

_JSON: Final = "application/json"

_PROBLEM_STATUS: Final[Mapping[Problem, HTTPStatus]] = {
    Problem.INVALID_PARAMETER: HTTPStatus.BAD_REQUEST,
    Problem.UNKNOWN_INFERENCE: HTTPStatus.NOT_FOUND,
    Problem.OUTPUT_UNAVAILABLE: HTTPStatus.NOT_FOUND,
    Problem.AMBIGUOUS_INFERENCE: HTTPStatus.CONFLICT,
    Problem.NO_OUTPUT: HTTPStatus.CONFLICT,
    Problem.RECORD_EXPIRED: HTTPStatus.GONE,
    Problem.OUTPUT_REMOVED: HTTPStatus.GONE,
    Problem.KEY_REUSED: HTTPStatus.UNPROCESSABLE_ENTITY,
    Problem.INVOCATION_REJECTED: HTTPStatus.BAD_REQUEST,
    Problem.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
}
_FIND_PROBLEMS: Final = (
    Problem.UNKNOWN_INFERENCE,
    Problem.AMBIGUOUS_INFERENCE,
    Problem.RECORD_EXPIRED,
)
_OUTPUT_PROBLEMS: Final = (
    *_FIND_PROBLEMS,
    Problem.NO_OUTPUT,
    Problem.OUTPUT_UNAVAILABLE,
    Problem.OUTPUT_REMOVED,
)
_GATEWAY_ERRORS: Final = {
    "401": "The token is missing or has expired",
    "403": "Access denied",
    "429": "Too many requests",
    "500": "The function failed",
    "502": "The function failed",
    "504": "The function timed out",
}
_BODIES: Final = {
    Route.BATCH_GET: "BatchGet",
    Route.SUBMIT_INFERENCE: "SubmitRequest",
    Route.REGISTER_INFERENCE: "RegisterRequest",
    Route.REGISTER_INFERENCE_BY_QUERY: "RegisterRequest",
}


def document() -> dict[str, Any]:
    """Return the OpenAPI document."""
    paths: dict[str, dict[str, Any]] = {}
    for route, operation in _operations().items():
        method, path = route.split(" ")
        paths.setdefault(path, {})[method.lower()] = _with_parameters(route, operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Async Inference Results",
            "version": "1",
            "description": "Status and output of SageMaker asynchronous inferences. Ignore unknown "
            "properties and problem types: later versions can add some.",
        },
        "security": [{"sigv4": []}, {"jwt": []}],
        "paths": paths,
        "components": {"schemas": _schemas(), "securitySchemes": _security_schemes()},
    }


def _security_schemes() -> dict[str, Any]:
    return {
        "sigv4": {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "AWS Signature Version 4 for the service execute-api.",
        },
        "jwt": {
            "type": "http",
            "scheme": "bearer",
            "description": "Only if the stack has a JWT issuer.",
        },
    }


def _operations() -> dict[Route, dict[str, Any]]:
    return {**_record_operations(), **_output_operations(), **_submission_operations()}


def _record_operations() -> dict[Route, dict[str, Any]]:
    etag = {"headers": {"ETag": {"schema": TEXT}}}
    record = {
        "200": _response("The record.", reference("Inference")) | etag,
        "304": {"description": "The record has not changed since If-None-Match."} | etag,
    }
    return {
        Route.GET_INFERENCE: _operation("Get the record of an inference.", record, _FIND_PROBLEMS),
        Route.GET_INFERENCE_BY_QUERY: _operation(
            "Get a record by an id with `/`, `?` or `%`.", record, _FIND_PROBLEMS
        ),
        Route.LIST_INFERENCES: _operation(
            "List the inferences of an endpoint, or of a status other than Completed.",
            {
                "200": _response(
                    "A page, newest first. It can be shorter than `limit`.", reference("Page")
                )
            },
        ),
        Route.BATCH_GET: _operation(
            f"Get up to {MAX_BATCH} records.",
            {"200": _response("The records, and the ids without one.", reference("Batch"))},
        ),
        Route.SUMMARIZE_ENDPOINT: _operation(
            "Get an endpoint's results and latencies by day.",
            {"200": _response("Days with results, newest first.", reference("Summary"))},
        ),
        Route.GET_OPENAPI: _operation(
            "Get this document.", {"200": _response("The document.", {"type": "object"})}
        ),
    }


def _output_operations() -> dict[Route, dict[str, Any]]:
    output = {
        "200": {
            "description": "The output, if it is stored only in the record.",
            "headers": {INLINE_OUTPUT_HEADER: {"schema": {"type": "string", "enum": ["inline"]}}},
            "content": {"*/*": {}},
        },
        "307": {
            "description": "Location is a link to the recorded version of the output, valid for "
            f"{LINK_SECONDS} seconds.",
            "headers": {"Location": {"schema": {"type": "string", "format": "uri"}}},
        },
    }
    return {
        Route.GET_OUTPUT: _operation("Get the output of an inference.", output, _OUTPUT_PROBLEMS),
        Route.GET_OUTPUT_BY_QUERY: _operation(
            "Get an output by an id with `/`, `?` or `%`.", output, _OUTPUT_PROBLEMS
        ),
    }


def _submission_operations() -> dict[Route, dict[str, Any]]:
    registered = {"200": _response("The record after the request.", reference("Inference"))}
    return {
        Route.SUBMIT_INFERENCE: _operation(
            "Invoke an endpoint, once per idempotency key.",
            {
                "201": _response("This request invoked the endpoint.", reference("Inference")),
                "200": _response(
                    "The record of an earlier request with this key.", reference("Inference")
                ),
            },
            (Problem.KEY_REUSED, Problem.INVOCATION_REJECTED),
        ),
        Route.REGISTER_INFERENCE: _operation(
            "Record an invocation that you made yourself.", registered
        ),
        Route.REGISTER_INFERENCE_BY_QUERY: _operation(
            "Record an invocation whose id has `/`, `?` or `%`.", registered
        ),
    }


def _with_parameters(route: Route, operation: dict[str, Any]) -> dict[str, Any]:
    """Add the id, parameters and request body of a route to its operation."""
    parameters = [
        *([_path_id()] if INFERENCE_ID.name in route else []),
        *([_parameter(ENDPOINT_NAME, "path", True)] if ENDPOINT_NAME.name in route else []),
        *(_parameter(each, "query", each.name == ID.name) for each in QUERY_PARAMETERS[route]),
    ]
    if route in (Route.GET_INFERENCE, Route.GET_INFERENCE_BY_QUERY):
        parameters.append({"name": "If-None-Match", "in": "header", "schema": TEXT})
    complete = operation | {"operationId": route.name.lower(), "parameters": parameters}
    if body := _BODIES.get(route):
        content = {_JSON: {"schema": reference(body)}}
        complete["requestBody"] = {"required": True, "content": content}
    return complete


def _operation(
    summary: str, responses: dict[str, Any], problems: tuple[Problem, ...] = ()
) -> dict[str, Any]:
    types: dict[str, list[str]] = {}
    for problem in (Problem.INVALID_PARAMETER, *problems, Problem.UNAVAILABLE):
        types.setdefault(str(_PROBLEM_STATUS[problem].value), []).append(f"`{problem}`")
    errors: dict[str, dict[str, Any]] = {
        status: {
            "description": " or ".join(names),
            "content": {"application/problem+json": {"schema": reference("Problem")}},
        }
        for status, names in types.items()
    }
    errors["503"]["headers"] = {"Retry-After": {"schema": {"type": "integer"}}}
    errors["503"]["content"][_JSON] = {"schema": reference("Message")}
    gateway = {
        status: _response(f"{text} (API Gateway).", reference("Message"))
        for status, text in _GATEWAY_ERRORS.items()
    }
    return {"summary": summary, "responses": {**responses, **errors, **gateway}}


def _response(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {_JSON: {"schema": schema}}}


def _path_id() -> dict[str, Any]:
    description = (
        "An id without `/`, `?` or `%`. API Gateway decodes paths before it routes: use the route "
        "with the query parameter `id` for other ids."
    )
    return _parameter(INFERENCE_ID, "path", True) | {"description": description}


def _parameter(parameter: Parameter, place: str, required: bool) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": place,
        "required": required,
        "description": parameter.description,
        "schema": parameter.schema,
    }


def _object(required: tuple[str, ...], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(required), "properties": properties}


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    """Forbid unknown properties, as for request bodies."""
    return schema | {"additionalProperties": False}


def _request_body(body: BodySchema, **more: Any) -> dict[str, Any]:
    properties = {
        each.name: each.schema | {"description": each.description}
        for each in (*body.required, *body.optional)
    }
    required = tuple(each.name for each in body.required)
    return _closed(_object(required, **properties, **more))


def _schemas() -> dict[str, Any]:
    return {**record_schemas(), **_page_schemas(), **_request_schemas(), **_error_schemas()}


def _page_schemas() -> dict[str, Any]:
    inferences = {"type": "array", "items": reference("Inference")}
    missing = {"type": "array", "items": reference("Missing")}
    days = {"type": "array", "items": reference("DaySummary")}
    return {
        "Page": _object(("inferences",), inferences=inferences, next_cursor=TEXT),
        "Batch": _object(("inferences", "missing"), inferences=inferences, missing=missing),
        "Summary": _object(("endpoint_name", "days"), endpoint_name=TEXT, days=days),
    }


def _request_schemas() -> dict[str, Any]:
    ids = {
        "type": "array",
        "minItems": 1,
        "maxItems": MAX_BATCH,
        "items": INFERENCE_ID.schema,
    }
    batch = _object(
        ("inference_ids",), inference_ids=ids, endpoint=ENDPOINT.schema, wait=WAIT.schema
    )
    input_description = (
        "The input, instead of `input_location`. At most "
        f"{MAX_INLINE_INPUT_BYTES} bytes, or the size of an API request if the stack has an "
        "`input_prefix`."
    )
    content = _closed(content_schema()) | {"description": input_description}
    return {
        "BatchGet": _closed(batch),
        "RegisterRequest": _request_body(REGISTRATION),
        "SubmitRequest": _request_body(SUBMISSION, **{INPUT: content}),
    }


def _error_schemas() -> dict[str, Any]:
    problem_type = {
        "type": "string",
        "description": "Later versions can add types.",
        "examples": [str(problem) for problem in Problem],
    }
    return {
        "Problem": _object(
            ("type", "title", "status", "detail"),
            type=problem_type,
            title=TEXT,
            status={"type": "integer"},
            detail=TEXT,
            parameter=TEXT,
            expected=TEXT,
            endpoints={"type": "array", "items": TEXT},
            expired_at=TIMESTAMP,
            inference_status=TEXT,
            inference_id=TEXT,
            code=TEXT,
        ),
        "Message": {"type": "object", "properties": {"message": TEXT, "Message": TEXT}},
    }
