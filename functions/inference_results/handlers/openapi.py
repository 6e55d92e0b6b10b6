"""The HTTP API as an OpenAPI 3.1 document, made of the routes, parameters and names in use.

docs/openapi.json is what it says; `make check` compares the two, and `make openapi` writes it anew.
"""

import json
import sys
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from inference_results.contract import INLINE_OUTPUT_HEADER, Attribute, Problem, Route
from inference_results.domain.inference import Source, Status
from inference_results.domain.output import LINK_SECONDS
from inference_results.domain.parameters import (
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
    Form,
)
from inference_results.handlers.questions import QUERY, Parameter

_JSON: Final = "application/json"
_TEXT: Final = {"type": "string"}
_TIME: Final = {"type": "string", "format": "date-time", "description": "UTC, milliseconds, `Z`."}

_PROBLEM_STATUS: Final[Mapping[Problem, HTTPStatus]] = {
    Problem.INVALID_PARAMETER: HTTPStatus.BAD_REQUEST,
    Problem.UNKNOWN_INFERENCE: HTTPStatus.NOT_FOUND,
    Problem.OUTPUT_UNAVAILABLE: HTTPStatus.NOT_FOUND,
    Problem.AMBIGUOUS_INFERENCE: HTTPStatus.CONFLICT,
    Problem.NO_OUTPUT: HTTPStatus.CONFLICT,
    Problem.RECORD_EXPIRED: HTTPStatus.GONE,
    Problem.OUTPUT_REMOVED: HTTPStatus.GONE,
    Problem.KEY_REUSED: HTTPStatus.UNPROCESSABLE_ENTITY,
    Problem.INVOCATION_REFUSED: HTTPStatus.BAD_REQUEST,
    Problem.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
}


_OF_THE_GATEWAY: Final = {
    "401": "No token, or one that is expired",
    "403": "Not allowed",
    "429": "Too many requests",
    "500": "The function failed",
    "502": "The function failed",
    "504": "The function took too long",
}


def document() -> dict[str, Any]:
    """The whole document."""
    paths: dict[str, dict[str, Any]] = {}
    for route, operation in _operations().items():
        method, path = route.split(" ")
        paths.setdefault(path, {})[method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Async Inference Results",
            "version": "1",
            "description": "What became of the invocations of SageMaker asynchronous endpoints.",
        },
        "security": [{"sigv4": []}, {"jwt": []}],
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {
                "sigv4": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "AWS Signature Version 4 for the service execute-api.",
                },
                "jwt": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "Where the stack was deployed with a JWT issuer.",
                },
            },
        },
    }


def _operations() -> dict[Route, dict[str, Any]]:
    one = {
        "200": _answer("The record.", _ref("Inference")) | {"headers": {"ETag": {"schema": _TEXT}}},
        "304": {
            "description": "The record is as If-None-Match knows it.",
            "headers": {"ETag": {"schema": _TEXT}},
        },
    }
    output = {
        "200": {
            "description": "The output, where it is in the record and nowhere else.",
            "headers": {INLINE_OUTPUT_HEADER: {"schema": {"type": "string", "enum": ["inline"]}}},
            "content": {"*/*": {}},
        },
        "307": {
            "description": f"Location leads to the recorded version for {LINK_SECONDS} seconds.",
            "headers": {"Location": {"schema": {"type": "string", "format": "uri"}}},
        },
    }
    registered = {"200": _answer("The record as it stands now.", _ref("Inference"))}
    finding = (
        Problem.UNKNOWN_INFERENCE,
        Problem.AMBIGUOUS_INFERENCE,
        Problem.RECORD_EXPIRED,
    )
    reading = (
        *finding,
        Problem.NO_OUTPUT,
        Problem.OUTPUT_UNAVAILABLE,
        Problem.OUTPUT_REMOVED,
    )
    if_none_match = {"name": "If-None-Match", "in": "header", "schema": _TEXT}
    operations = {
        Route.GET_INFERENCE: _operation("What became of an inference?", one, finding),
        Route.GET_INFERENCE_BY_QUERY: _operation(
            "The same for any id, with characters too that a path cannot carry.", one, finding
        ),
        Route.GET_OUTPUT: _operation("The output of an inference.", output, reading),
        Route.GET_OUTPUT_BY_QUERY: _operation("The same for any id.", output, reading),
        Route.LIST_INFERENCES: _operation(
            "Inferences of an endpoint, or with a status other than Completed, newest first.",
            {"200": _answer("A page. It may hold fewer than `limit`.", _ref("Page"))},
        ),
        Route.BATCH_GET: _operation(
            "What became of these inferences?",
            {"200": _answer("Those that were found, and the others.", _ref("Batch"))},
        ),
        Route.SUBMIT_INFERENCE: _operation(
            "Invoke an endpoint, once for each idempotency key.",
            {
                "201": _answer("This call made the invocation.", _ref("Inference")),
                "200": _answer("The record of this key, as it stands.", _ref("Inference")),
            },
            (Problem.KEY_REUSED, Problem.INVOCATION_REFUSED),
        ),
        Route.REGISTER_INFERENCE: _operation(
            "An invocation was made: keep what its submitter knows.", registered
        ),
        Route.REGISTER_INFERENCE_BY_QUERY: _operation("The same for any id.", registered),
        Route.SUMMARIZE_ENDPOINT: _operation(
            "How many results an endpoint had on each day, and how long they took.",
            {"200": _answer("The days with results, newest first.", _ref("Summary"))},
        ),
        Route.GET_OPENAPI: _operation(
            "This document.", {"200": _answer("The document.", {"type": "object"})}
        ),
    }
    for route, operation in operations.items():
        operation["operationId"] = route.name.lower()
        operation["parameters"] = [
            *([_id_in_path()] if INFERENCE_ID.name in route else []),
            *([_endpoint_in_path()] if ENDPOINT_NAME.name in route else []),
            *(_query_parameter(parameter) for parameter in QUERY[route]),
        ]
    for route in (Route.GET_INFERENCE, Route.GET_INFERENCE_BY_QUERY):
        operations[route]["parameters"].append(if_none_match)
    bodies = {
        Route.BATCH_GET: "BatchGet",
        Route.SUBMIT_INFERENCE: "Submission",
        Route.REGISTER_INFERENCE: "Registration",
        Route.REGISTER_INFERENCE_BY_QUERY: "Registration",
    }
    for route, schema in bodies.items():
        operations[route]["requestBody"] = {
            "required": True,
            "content": {_JSON: {"schema": _ref(schema)}},
        }
    return operations


def _operation(
    summary: str, answers: dict[str, Any], problems: tuple[Problem, ...] = ()
) -> dict[str, Any]:
    possible = (Problem.INVALID_PARAMETER, *problems, Problem.UNAVAILABLE)
    texts: dict[str, list[str]] = {}
    for problem in possible:
        texts.setdefault(str(_PROBLEM_STATUS[problem].value), []).append(f"`{problem}`")
    refusals: dict[str, dict[str, Any]] = {
        status: {
            "description": " or ".join(kinds),
            "content": {"application/problem+json": {"schema": _ref("Problem")}},
        }
        for status, kinds in texts.items()
    }
    refusals["503"]["headers"] = {"Retry-After": {"schema": {"type": "integer"}}}
    refusals["503"]["content"][_JSON] = {"schema": _ref("Message")}
    of_the_gateway = {
        status: _answer(f"{text}, from API Gateway.", _ref("Message"))
        for status, text in _OF_THE_GATEWAY.items()
    }
    return {"summary": summary, "responses": {**answers, **refusals, **of_the_gateway}}


def _answer(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {_JSON: {"schema": schema}}}


def _id_in_path() -> dict[str, Any]:
    why = "An id without `/`, `?` or `%`: API Gateway decodes a path before it routes."
    return _parameter(INFERENCE_ID, "path", required=True) | {"description": why}


def _endpoint_in_path() -> dict[str, Any]:
    return _parameter(ENDPOINT_NAME, "path", required=True)


def _query_parameter(parameter: Parameter) -> dict[str, Any]:
    return _parameter(parameter, "query", required=parameter.name == ID.name)


def _parameter(parameter: Parameter, place: str, *, required: bool) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": place,
        "required": required,
        "description": parameter.description,
        "schema": parameter.schema,
    }


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(required: tuple[str, ...], **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "required": list(required),
        "properties": properties,
        "additionalProperties": False,
    }


def _content() -> dict[str, Any]:
    return _object(
        ("encoding", "content"),
        encoding={"type": "string", "enum": ["utf-8", "base64"]},
        content=_TEXT,
    )


def _form(form: Form, **more: Any) -> dict[str, Any]:
    members = {
        each.name: each.schema | {"description": each.description}
        for each in (*form.required, *form.optional)
    }
    return _object(tuple(each.name for each in form.required), **members, **more)


def _schemas() -> dict[str, Any]:
    whole = {"type": "integer"}
    endpoints = {"type": "array", "items": _TEXT}
    listed = {"type": "array", "items": _ref("Inference")}
    return {
        "Inference": _inference(),
        "Output": _object(
            (),
            location=_TEXT,
            bucket=_TEXT,
            key=_TEXT,
            version_id=_TEXT,
            etag=_TEXT,
            size={"type": "integer", "description": "Bytes."},
            content_type=_TEXT,
            inline=_content(),
        ),
        "OutputError": _object(("code", "message"), code=_TEXT, message=_TEXT, location=_TEXT),
        "Failure": _object(
            ("code", "retryable"),
            code=_TEXT,
            retryable={"type": "boolean"},
            reason=_TEXT,
            reason_truncated={"type": "boolean"},
            model_status={"type": "integer", "description": "HTTP status of the container."},
            location=_TEXT,
            body_preview=_TEXT,
        ),
        "Page": _object(("inferences",), inferences=listed, next_cursor=_TEXT),
        "BatchGet": _object(
            ("inference_ids",),
            inference_ids={
                "type": "array",
                "minItems": 1,
                "maxItems": MAX_BATCH,
                "items": INFERENCE_ID.schema,
            },
            endpoint=ENDPOINT.schema,
            wait=WAIT.schema,
        ),
        "Registration": _form(REGISTRATION),
        "Submission": _form(
            SUBMISSION,
            **{
                INPUT: _content()
                | {
                    "description": "The input itself, in place of `input_location`: at most "
                    f"{MAX_INLINE_INPUT_BYTES} bytes, or what a request to the API may hold "
                    "where the stack has an `input_prefix`."
                }
            },
        ),
        "Batch": _object(
            ("inferences", "missing"),
            inferences=listed,
            missing={
                "type": "array",
                "items": _object(
                    ("inference_id", "reason"),
                    inference_id=_TEXT,
                    reason={"type": "string", "enum": ["unknown", "expired", "ambiguous"]},
                    endpoints=endpoints,
                ),
            },
        ),
        "Summary": _object(
            ("endpoint_name", "days"),
            endpoint_name=_TEXT,
            days={
                "type": "array",
                "items": _object(
                    ("day", "counts"),
                    day={"type": "string", "format": "date"},
                    counts={
                        "type": "object",
                        "additionalProperties": whole,
                        "description": "How many results had each status.",
                    },
                    latency=_ref("Latency"),
                ),
            },
        ),
        "Latency": _object(
            ("count", "p50_ms", "p90_ms", "p99_ms", "histogram"),
            count=whole,
            p50_ms=whole,
            p90_ms=whole,
            p99_ms=whole,
            histogram={
                "type": "array",
                "items": _object(("up_to_ms", "count"), up_to_ms=whole, count=whole),
            },
        ),
        "Message": {"type": "object", "properties": {"message": _TEXT, "Message": _TEXT}},
        "Problem": _object(
            ("type", "title", "status", "detail"),
            type={"type": "string", "enum": [str(problem) for problem in Problem]},
            title=_TEXT,
            status=whole,
            detail=_TEXT,
            parameter=_TEXT,
            expected=_TEXT,
            endpoints=endpoints,
            expired_at=_TIME,
            inference_status=_TEXT,
            inference_id=_TEXT,
            code=_TEXT,
        ),
    }


def _inference() -> dict[str, Any]:
    known = ", ".join(Status)
    properties = {
        Attribute.INFERENCE_ID: INFERENCE_ID.schema,
        Attribute.ENDPOINT_NAME: {"type": "string", "description": "`-` if no event named one."},
        Attribute.STATUS: {"type": "string", "description": f"{known}, or another as received."},
        Attribute.SUBMITTED_AT: _TIME,
        Attribute.RECEIVED_AT: _TIME,
        Attribute.EVENT_TIME: _TIME,
        Attribute.RECORDED_AT: _TIME,
        Attribute.DEADLINE: _TIME,
        Attribute.INPUT_LOCATION: _TEXT,
        Attribute.CONTENT_TYPE: _TEXT,
        Attribute.OUTPUT: _ref("Output"),
        Attribute.OUTPUT_ERROR: _ref("OutputError"),
        Attribute.FAILURE: _ref("Failure"),
        Attribute.IGNORED_FIELDS: {"type": "array", "items": _TEXT},
        Attribute.SOURCE: {
            "type": "string",
            "description": "How the outcome was found, where no notification told it: "
            + ", ".join(Source),
        },
        Attribute.CUSTOM_ATTRIBUTES: _TEXT,
        Attribute.CALLER_METADATA: {"type": "object"},
        Attribute.SUBMISSION: _object((), output_location=_TEXT, failure_location=_TEXT)
        | {"description": "What SageMaker answered to the submitter."},
        Attribute.EXPIRES_AT: _TIME,
    }
    required = (Attribute.INFERENCE_ID, Attribute.ENDPOINT_NAME, Attribute.STATUS)
    return _object(
        tuple(str(name) for name in required),
        **{str(name): schema for name, schema in properties.items()},
    ) | {"description": "A record. A list shows a part of it."}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(document(), indent=2) + "\n")
