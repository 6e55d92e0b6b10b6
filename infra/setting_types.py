"""Types of settings: what each value must look like, and how the command line writes it."""

import json
import re
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator

NEWEST_RUNTIME: Final = "python3.14"
"""The newest runtime that both CDK and Powertools support."""


def _matching(pattern: str, expected: str) -> AfterValidator:
    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(f"expected {expected}")
        return value

    return AfterValidator(check)


def _split_list(value: Any) -> Any:
    if isinstance(value, str):
        return [item.strip() for item in value.split(",") if item.strip()]
    return value


def _parse_json(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return json.loads(value)
        except ValueError as error:
            raise ValueError("expected a JSON object") from error
    return value


def _with_slash(prefix: str) -> str:
    """Append a slash, because `s3://bucket/out` would also allow `s3://bucket/outside`."""
    return prefix if prefix.endswith("/") else prefix + "/"


S3Prefix = Annotated[
    str,
    AfterValidator(_with_slash),
    _matching(
        r"s3://[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]/([^*?$()\[\]<>]+/)?",
        "s3://bucket/prefix/, without any of * ? $ ( ) [ ] < >",
    ),
]
TopicArn = Annotated[
    str,
    _matching(
        r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[\w-]{1,256}",
        "the ARN of a standard topic, arn:aws:sns:REGION:ACCOUNT:NAME",
    ),
]
RoleArn = Annotated[
    str,
    _matching(
        r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+",
        "the ARN of a role, arn:aws:iam::ACCOUNT:role/NAME",
    ),
]
PolicyArn = Annotated[
    str,
    _matching(
        r"arn:aws[a-z-]*:iam::(\d{12}|aws):policy/[\w+=,.@/-]+",
        "the ARN of a managed policy, arn:aws:iam::ACCOUNT:policy/NAME",
    ),
]
KeyArn = Annotated[
    str,
    _matching(
        r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[\w-]+",
        "the ARN of a key, arn:aws:kms:REGION:ACCOUNT:key/ID",
    ),
]
BusArn = Annotated[
    str,
    _matching(
        r"arn:aws[a-z-]*:events:[a-z0-9-]+:\d{12}:event-bus/[\w./-]{1,256}",
        "the ARN of an event bus, arn:aws:events:REGION:ACCOUNT:event-bus/NAME",
    ),
]
StateMachineArn = Annotated[
    str,
    _matching(
        r"arn:aws[a-z-]*:states:[a-z0-9-]+:\d{12}:stateMachine:"
        r"[^\s\x00-\x1f\x7f-\x9f<>{}\[\]?*\"#%\\^|~`$&,;:/]{1,80}",
        "the ARN of a state machine, arn:aws:states:REGION:ACCOUNT:stateMachine:NAME, without the"
        " version or alias",
    ),
]
HttpsUrl = Annotated[str, _matching(r"https://[^\s/?#]+(/[^\s?#]*)?", "an https:// URL")]
Email = Annotated[str, _matching(r"[^@\s,]+@[^@\s,]+\.[^@\s,]+", "an email address")]
S3Prefixes = Annotated[tuple[S3Prefix, ...], BeforeValidator(_split_list)]
RoleArns = Annotated[tuple[RoleArn, ...], BeforeValidator(_split_list)]
KeyArns = Annotated[tuple[KeyArn, ...], BeforeValidator(_split_list)]
StateMachineArns = Annotated[tuple[StateMachineArn, ...], BeforeValidator(_split_list)]
Strings = Annotated[tuple[str, ...], BeforeValidator(_split_list)]
EndpointName = Annotated[
    str, _matching(r"[A-Za-z0-9](-*[A-Za-z0-9]){0,62}", "the name of an endpoint")
]
EndpointNames = Annotated[tuple[EndpointName, ...], BeforeValidator(_split_list)]
EndpointVariant = Annotated[
    str,
    _matching(
        r"[A-Za-z0-9](-*[A-Za-z0-9]){0,62}(/[A-Za-z0-9](-*[A-Za-z0-9]){0,62})?",
        "the name of an endpoint, or ENDPOINT/VARIANT",
    ),
]
EndpointVariants = Annotated[tuple[EndpointVariant, ...], BeforeValidator(_split_list)]
Emails = Annotated[tuple[Email, ...], BeforeValidator(_split_list)]
Runtime = Literal["python3.14", "python3.13", "python3.12", "python3.11"]
Architecture = Literal["arm64", "x86_64"]
ResponseIn = Literal["SUCCESS_NOTIFICATION_TOPIC", "ERROR_NOTIFICATION_TOPIC"]
JsonObject = BeforeValidator(_parse_json)
"""Annotates a group of settings, which the command line writes as JSON."""
