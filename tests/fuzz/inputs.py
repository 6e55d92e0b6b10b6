"""Hostile inputs: values that tend to break parsers, and modified copies of valid inputs."""

import json
from collections.abc import Sequence
from typing import Any, Final

from hypothesis import strategies as st

from inference_results.contract import Route
from tests.support.samples import EVENTS, completed, failed

SNS_BYTES: Final = 256 * 1024
"""The default maximum size of an SNS message."""

SURROGATE: Final = "\ud800"

TEXTS: Final = (
    "",
    " ",
    "\x00",
    "\n",
    SURROGATE,
    "\u202e",
    "İ",
    "e\u0301",
    "\U0010ffff",
    "-",
    "..",
    "%00",
    "%ed%a0%80",
    "null",
    "x" * 65,
    "x" * 2049,
    "é" * 2048,
    "x" * SNS_BYTES,
    "9" * 5000,
)
"""Texts to use alone or inside other texts."""

NESTED: Final = {
    "2,000 arrays": "[" * 2_000 + "]" * 2_000,
    "100,000 arrays": "[" * 100_000 + "]" * 100_000,
    "100,000 unclosed arrays": "[" * 100_000,
    "2,000 objects": '{"a":' * 2_000 + "1" + "}" * 2_000,
    "40,000 objects": '{"a":' * 40_000 + "1" + "}" * 40_000,
}

VALUES: Final = (
    "null",
    "true",
    "0",
    "-0.0",
    "1e999",
    "NaN",
    "-Infinity",
    "1" * 4_300,
    "1" * 4_301,
    "1" * 200_000,
    "0." + "1" * 200_000,
    "1e" + "9" * 1_000,
    "[]",
    "{}",
    '""',
    '"\\u0000"',
    '"\\ud800"',
    '"\ud800"',
    '"\\ud83d\\ude00"',
    '"' + "x" * SNS_BYTES + '"',
    '{"a":1,"a":2}',
    '{"":""}',
    *NESTED.values(),
)
"""JSON values, some of them invalid."""

HANDWRITTEN: Final = (*TEXTS, *VALUES)

JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
).map(json.dumps)
ANY_VALUE: Final = st.sampled_from(VALUES) | JSON | st.sampled_from(TEXTS).map(json.dumps)
ANY_TEXT: Final = st.sampled_from(TEXTS) | st.text(st.characters(), max_size=80)


@st.composite
def edited(draw: st.DrawFn, originals: st.SearchStrategy[str]) -> str:
    """Remove or replace up to three parts of a text."""
    text = draw(originals)
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(text)))
        end = start + draw(st.integers(0, 5))
        text = text[:start] + draw(ANY_TEXT) + text[end:]
    return text


@st.composite
def objects(draw: st.DrawFn, original: dict[str, Any], paths: Sequence[tuple[str, ...]]) -> str:
    """Encode an object as JSON with some other values, and sometimes with a duplicate name."""
    changed = json.loads(json.dumps(original))
    values = draw(st.lists(ANY_VALUE, max_size=2))
    for number, _ in enumerate(values):
        *parents, name = draw(st.sampled_from(paths))
        parent = changed
        for each in parents:
            child = parent.get(each)
            parent[each] = child if isinstance(child, dict) else {}
            parent = parent[each]
        parent[name] = f"@{number}@"
    text = json.dumps(changed)
    for number, value in enumerate(values):
        text = text.replace(f'"@{number}@"', value)
    if draw(st.integers(0, 9)) == 0:
        duplicate = f"{json.dumps(draw(st.sampled_from(paths))[0])}: {draw(ANY_VALUE)}"
        if draw(st.booleans()):
            return f"{text[:-1]}, {duplicate}}}"
        return f"{{{duplicate}, {text[1:]}"
    return text


def _paths(event: dict[str, Any]) -> list[tuple[str, ...]]:
    nested = [
        (name, key) for name, value in event.items() if isinstance(value, dict) for key in value
    ]
    return [*((name,) for name in event), *nested]


_EVENTS: Final = [
    completed(),
    failed(),
    *(json.loads(each.read_text()) for each in sorted(EVENTS.glob("*.json"))),
]
_PATHS: Final = sorted({path for event in _EVENTS for path in _paths(event)})


def _enveloped(message: str) -> str:
    return json.dumps({"Type": "Notification", "Message": message})


EVENT: Final = st.sampled_from(_EVENTS).flatmap(lambda event: objects(event, _PATHS))
NOTIFICATION: Final = st.one_of(EVENT, EVENT, EVENT.map(_enveloped), edited(EVENT), ANY_VALUE)

LOCATION: Final = edited(
    st.sampled_from(
        [
            "s3://customer-outputs/async/one.out",
            "s3://customer-outputs/async/../one.out",
            "https://customer-outputs.s3.eu-west-1.amazonaws.com/async/one.out",
            "https://s3.dualstack.eu-west-1.amazonaws.com.cn/customer-outputs/async/one.out",
            "https://" + ".s3-x" * 60 + ".amazonaws.com/key",
            "https://" + "s3." * 80 + "x" * 2_000,
            "https://s3-" + "x" * SNS_BYTES,
            "s3://" + "a." * 500 + "/key",
            "s3://bucket/" + "é" * 513,
        ]
    )
)

TIME: Final = edited(
    st.sampled_from(
        [
            "2026-01-25T12:00:00.608Z",
            "2026-01-25T12:00:00+01:00",
            "0001-01-01T00:00:00+23:59",
            "9999-12-31T23:59:59.999-23:59",
            "2026-W04-7T12:00:00,608123456789Z",
            "20260125T120000Z",
            "2026-01-25T24:00:00Z",
            "2026-01-25T12:00:00+00:00:00.000001",
            "Sun, 25 Jan 2026 12:00:00 GMT",
            "Sun, 25 Jan 26 12:00 -9959",
            "25 Jan 99999999999 12:00:00 +0000",
            "Sun, 25 Jan 2026 12:00:00 +99999999999999999999",
            "1769342400",
        ]
    )
)


ID: Final = {"id": "inference-1"}
WAIT: Final = {"endpoint": "here", "wait": "0.5"}
RANGE: Final = {"since": "2026-01-25T12:00Z", "until": "2026-01-26T12:00%2B01:00"}
QUERIES: Final[dict[Route, Sequence[dict[str, str]]]] = {
    Route.GET_INFERENCE: [{}, WAIT],
    Route.GET_INFERENCE_BY_QUERY: [ID, ID | WAIT, {"id": "a%20b%23%2F"}],
    Route.GET_OUTPUT: [{}, {"endpoint": "-"}],
    Route.GET_OUTPUT_BY_QUERY: [ID],
    Route.LIST_INFERENCES: [
        {"endpoint": "here", "limit": "1"} | RANGE,
        {"endpoint": "here", "status": "Failed", "limit": "200"},
        {"status": "lost", "cursor": "WyJhIl0.aXlk.x-_"},
    ],
    Route.BATCH_GET: [{}],
    Route.SUBMIT_INFERENCE: [{}],
    Route.REGISTER_INFERENCE: [{}],
    Route.REGISTER_INFERENCE_BY_QUERY: [ID],
    Route.SUMMARIZE_ENDPOINT: [{}, {"since": "2026-01-01", "until": "2026-01-31"}],
    Route.GET_OPENAPI: [{}],
}


UNUSUAL_NUMBERS: Final = ("NaN", "inf", "1e3", "1_0", "-1", "+1", "0x1", "٣", "²", "9" * 400)


@st.composite
def queries(draw: st.DrawFn, route: Route) -> str:
    """Draw a raw query string, half of the time a valid one."""
    pairs = dict(draw(st.sampled_from(QUERIES[route])))
    is_valid = draw(st.booleans())
    if pairs and not is_valid:
        name = draw(st.sampled_from(sorted(pairs)))
        pairs[name] = draw(st.sampled_from(UNUSUAL_NUMBERS) | ANY_TEXT)
    text = "&".join(f"{name}={value}" for name, value in pairs.items())
    return text if is_valid else draw(edited(st.just(text)))


BATCH: Final[dict[str, Any]] = {"inference_ids": ["one", "two"], "endpoint": "here", "wait": 1}
REGISTRATION: Final[dict[str, Any]] = {
    "endpoint": "speech",
    "submitted_at": "Sun, 25 Jan 2026 12:00:00 GMT",
    "output_location": "s3://customer-outputs/async/one.out",
    "failure_location": "s3://customer-outputs/failures/one.out",
    "content_type": "text/plain",
    "custom_attributes": "a=b",
    "metadata": {"page": "17"},
    "task_token": "token",
    "request_ttl_seconds": 60,
    "invocation_timeout_seconds": 1,
}
SUBMISSION: Final[dict[str, Any]] = {
    "endpoint": "speech",
    "idempotency_key": "one",
    "input": {"encoding": "utf-8", "content": "hello"},
    "accept": "text/plain",
    "metadata": {"page": "17"},
    "task_token": "token",
}


def bodies(original: dict[str, Any]) -> st.SearchStrategy[str]:
    """Draw request bodies, most of them similar to a valid one."""
    similar = objects(original, _paths(original))
    return st.one_of(similar, similar, similar, edited(similar), ANY_VALUE)


BODIES: Final[dict[Route, st.SearchStrategy[str]]] = {
    Route.BATCH_GET: bodies(BATCH),
    Route.SUBMIT_INFERENCE: bodies(SUBMISSION),
    Route.REGISTER_INFERENCE: bodies(REGISTRATION),
    Route.REGISTER_INFERENCE_BY_QUERY: bodies(REGISTRATION),
}
