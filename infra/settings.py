"""The settings: typed, from the CDK context, each error naming the setting and what was expected.

docs/settings.md lists them. On the command line a list is written with commas, and a group of
settings as JSON: `-c output_prefixes=s3://one/out/,s3://two/out/`.
"""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, NamedTuple, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from inference_results.contract import DEFAULT_RETENTION_DAYS, MAX_RETENTION_DAYS

NEWEST_RUNTIME: Final = "python3.14"
"""The newest that both CDK and Powertools support."""


_MESSAGES_PER_WORKER: Final = 100
"""What a worker settles in the time that a function has, at 150 ms each."""


_MOST_WATCHED: Final = 20
"""Each has some ten metrics and four alarms."""

DEFAULT_VARIANT: Final = "AllTraffic"
"""As SageMaker's console and SDK name the only one."""


class SettingsError(ValueError):
    """Settings are missing, unknown or not what was expected; the text has a line for each."""


def _matching(pattern: str, expected: str) -> AfterValidator:
    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(f"expected {expected}")
        return value

    return AfterValidator(check)


def _split(value: Any) -> Any:
    if isinstance(value, str):
        return [item.strip() for item in value.split(",") if item.strip()]
    return value


def _parsed(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return json.loads(value)
        except ValueError as error:
            raise ValueError("expected a JSON object") from error
    return value


def _with_slash(prefix: str) -> str:
    """So that `s3://bucket/out` does not admit `s3://bucket/outside`."""
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
Email = Annotated[str, _matching(r"[^@\s,]+@[^@\s,]+\.[^@\s,]+", "an e-mail address")]
S3Prefixes = Annotated[tuple[S3Prefix, ...], BeforeValidator(_split)]
RoleArns = Annotated[tuple[RoleArn, ...], BeforeValidator(_split)]
KeyArns = Annotated[tuple[KeyArn, ...], BeforeValidator(_split)]
StateMachineArns = Annotated[tuple[StateMachineArn, ...], BeforeValidator(_split)]
Audience = Annotated[tuple[str, ...], BeforeValidator(_split)]
EndpointName = Annotated[
    str, _matching(r"[A-Za-z0-9](-*[A-Za-z0-9]){0,62}", "the name of an endpoint")
]
EndpointNames = Annotated[tuple[EndpointName, ...], BeforeValidator(_split)]
EndpointVariant = Annotated[
    str,
    _matching(
        r"[A-Za-z0-9](-*[A-Za-z0-9]){0,62}(/[A-Za-z0-9](-*[A-Za-z0-9]){0,62})?",
        "the name of an endpoint, or ENDPOINT/VARIANT",
    ),
]
EndpointVariants = Annotated[tuple[EndpointVariant, ...], BeforeValidator(_split)]
Emails = Annotated[tuple[Email, ...], BeforeValidator(_split)]
Runtime = Literal["python3.14", "python3.13", "python3.12", "python3.11"]
ResponseIn = Literal["SUCCESS_NOTIFICATION_TOPIC", "ERROR_NOTIFICATION_TOPIC"]


class _Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class EndpointSettings(_Group):
    """The second stack: an endpoint config for a model that exists, and an endpoint if asked."""

    model_name: str
    execution_role_arn: RoleArn
    """The model's execution role: it is allowed to publish and to write below the two paths."""
    instance_type: str
    output_path: S3Prefix
    failure_path: S3Prefix | None = None
    include_inference_response_in: tuple[ResponseIn, ...] = ()
    initial_instance_count: int = Field(1, ge=1)
    max_concurrent_invocations_per_instance: int | None = Field(None, ge=1, le=1000)
    create_endpoint: bool = False


class WatchedEndpoint(NamedTuple):
    """An endpoint with metrics and alarms of its own, and the variant that SageMaker's are of."""

    name: str
    variant: str


class Settings(_Group):
    """Of the main stack. Only `output_prefixes` has no default."""

    output_prefixes: S3Prefixes = Field(min_length=1)
    output_key_arns: KeyArns = ()
    success_topic_arn: TopicArn | None = None
    error_topic_arn: TopicArn | None = None
    success_emails: Emails = ()
    error_emails: Emails = ()
    execution_role_arns: RoleArns = ()
    retention_days: int = Field(DEFAULT_RETENTION_DAYS, ge=1, le=MAX_RETENTION_DAYS)
    inline_output_bytes: int = Field(1024, ge=0, le=65_536)
    shards: int = Field(4, ge=1, le=256)
    batch_size: int = Field(10, ge=1, le=10_000)
    batch_window_seconds: int = Field(0, ge=0, le=300)
    maximum_concurrency: int = Field(10, ge=2, le=1000)
    workers: int = Field(10, ge=1, le=64)
    reconcile_minutes: int = Field(5, ge=1, le=1440)
    overdue_slack_seconds: int = Field(600, ge=0, le=86_400)
    submit_endpoints: EndpointNames = ()
    input_prefix: S3Prefix | None = None
    input_key_arns: KeyArns = ()
    watched_endpoints: EndpointVariants = Field((), max_length=_MOST_WATCHED)
    debug_sample_rate: float = Field(0, ge=0, le=1)
    tracing: bool = False
    alarms: bool = True
    alarm_emails: Emails = ()
    oldest_message_seconds: int = Field(600, ge=60, le=1_209_600)
    oldest_request_seconds: int = Field(3600, ge=60, le=21_600)
    failure_percent: int = Field(20, ge=0, le=99)
    dashboard: bool = True
    publish_events: bool = True
    event_bus_arn: BusArn | None = None
    publish_custom_attributes: bool = False
    state_machine_arns: StateMachineArns = ()
    api: bool = True
    api_concurrency: int | None = Field(None, ge=1, le=10_000)
    jwt_issuer: HttpsUrl | None = None
    jwt_audience: Audience = ()
    jwt_submit_scopes: Audience = ()
    customer_keys: bool = False
    runtime: Runtime = NEWEST_RUNTIME
    architecture: Literal["arm64", "x86_64"] = "arm64"
    permissions_boundary_arn: PolicyArn | None = None
    retain: bool = True
    endpoint: Annotated[EndpointSettings | None, BeforeValidator(_parsed)] = None

    @model_validator(mode="after")
    def _batches_can_be_settled(self) -> Self:
        if self.batch_size > 10 and self.batch_window_seconds == 0:
            raise ValueError(
                "batch_window_seconds: expected at least 1 for a batch_size over 10 (a rule of SQS)"
            )
        if self.batch_size > _MESSAGES_PER_WORKER * self.workers:
            raise ValueError(
                f"batch_size: expected at most {_MESSAGES_PER_WORKER} for each of the workers, "
                "or messages come back that no worker got to"
            )
        return self

    @model_validator(mode="after")
    def _what_is_announced_has_a_bus(self) -> Self:
        if self.event_bus_arn and not self.publish_events:
            raise ValueError("event_bus_arn: expected none, since nothing is announced")
        return self

    @model_validator(mode="after")
    def _tasks_are_answered_by_what_announces(self) -> Self:
        if self.state_machine_arns and not self.publish_events:
            raise ValueError("state_machine_arns: expected none, since nothing is announced")
        return self

    @model_validator(mode="after")
    def _somebody_told_has_alarms(self) -> Self:
        if self.alarm_emails and not self.alarms:
            raise ValueError("alarm_emails: expected none, since there are no alarms")
        return self

    @model_validator(mode="after")
    def _tokens_are_for_us(self) -> Self:
        if self.jwt_issuer and not self.jwt_audience:
            raise ValueError(
                "jwt_audience: expected at least one, or any token of the issuer would do"
            )
        if self.jwt_audience and not self.jwt_issuer:
            raise ValueError("jwt_issuer: expected, since there is a jwt_audience")
        if self.jwt_submit_scopes and not self.jwt_issuer:
            raise ValueError("jwt_issuer: expected, since there are jwt_submit_scopes")
        return self

    @model_validator(mode="after")
    def _endpoint_writes_where_we_read(self) -> Self:
        if self.endpoint:
            for name in ("output_path", "failure_path"):
                path = getattr(self.endpoint, name)
                if path and not path.startswith(self.output_prefixes):
                    raise ValueError(f"endpoint.{name}: expected a path below an output_prefixes")
        return self

    @property
    def watched(self) -> tuple[WatchedEndpoint, ...]:
        """The endpoints to watch, each with one variant."""
        pairs = (each.partition("/") for each in self.watched_endpoints)
        return tuple(
            WatchedEndpoint(name, variant or DEFAULT_VARIANT) for name, _, variant in pairs
        )

    @property
    def watched_names(self) -> tuple[str, ...]:
        """Of those endpoints, each once."""
        return tuple(dict.fromkeys(each.name for each in self.watched))

    @classmethod
    def from_context(cls, context: Mapping[str, Any]) -> Self:
        """Read what `cdk` passes: `App.node.get_all_context()`.

        Raises SettingsError. Keys that are no identifiers (`@aws-cdk/...`) are CDK's own.
        """
        try:
            return cls(**{key: each for key, each in context.items() if key.isidentifier()})
        except ValidationError as error:
            lines = [_explained(each["loc"], each["type"], each["msg"]) for each in error.errors()]
            raise SettingsError("\n".join(lines)) from None


def _explained(place: tuple[int | str, ...], kind: str, message: str) -> str:
    name = ".".join(str(part) for part in place)
    match kind:
        case "missing":
            message = "expected a value; there is no default"
        case "extra_forbidden":
            message = "there is no such setting; see docs/settings.md"
        case _:
            message = message.removeprefix("Value error, ").replace("Input should be", "expected")
    return f"setting {name}: {message}" if name else f"setting {message}"
