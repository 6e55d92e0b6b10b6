"""Typed settings, read from the CDK context. docs/settings.md describes each one.

On the command line, a list is written with commas (`-c output_prefixes=s3://one/out/,s3://two/out/`)
and a group as JSON.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from inference_results.contract import DEFAULT_RETENTION_DAYS, MAX_RETENTION_DAYS

from .setting_errors import format_error
from .setting_types import (
    NEWEST_RUNTIME,
    Architecture,
    BusArn,
    Emails,
    EndpointNames,
    EndpointVariants,
    HttpsUrl,
    JsonObject,
    KeyArns,
    PolicyArn,
    ResponseIn,
    RoleArn,
    RoleArns,
    Runtime,
    S3Prefix,
    S3Prefixes,
    StateMachineArns,
    Strings,
    TopicArn,
)

_MESSAGES_PER_WORKER: Final = 100
"""What a worker processes within the function's timeout, at 150 ms for each message."""

_MAX_WATCHED: Final = 20
"""Each watched endpoint has about ten metrics and four alarms."""

DEFAULT_VARIANT: Final = "AllTraffic"
"""The name that SageMaker's console and SDK give to a single variant."""


class SettingsError(ValueError):
    """Settings are missing, unknown or invalid. The message has one line for each."""


class _Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class EndpointSettings(_Group):
    """The second stack: an endpoint config for an existing model, and optionally an endpoint."""

    model_name: str
    execution_role_arn: RoleArn
    """The model's execution role. The stack allows it to publish, and to write below both paths."""
    instance_type: str
    output_path: S3Prefix
    failure_path: S3Prefix | None = None
    include_inference_response_in: tuple[ResponseIn, ...] = ()
    initial_instance_count: int = Field(1, ge=1)
    max_concurrent_invocations_per_instance: int | None = Field(None, ge=1, le=1000)
    create_endpoint: bool = False


class WatchedEndpoint(NamedTuple):
    """An endpoint with separate metrics and alarms. SageMaker's own metrics are by variant."""

    name: str
    variant: str


class Settings(_Group):
    """Settings of the main stack. Only `output_prefixes` is required."""

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
    watched_endpoints: EndpointVariants = Field((), max_length=_MAX_WATCHED)
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
    jwt_audience: Strings = ()
    jwt_submit_scopes: Strings = ()
    customer_keys: bool = False
    runtime: Runtime = NEWEST_RUNTIME
    architecture: Architecture = "arm64"
    permissions_boundary_arn: PolicyArn | None = None
    retain: bool = True
    endpoint: Annotated[EndpointSettings | None, JsonObject] = None

    @model_validator(mode="after")
    def _check_batch_size(self) -> Self:
        if self.batch_size > 10 and self.batch_window_seconds == 0:
            raise ValueError(
                "batch_window_seconds: expected at least 1, because SQS requires a batching window"
                " for a batch_size over 10"
            )
        largest = _MESSAGES_PER_WORKER * self.workers
        if self.batch_size > largest:
            raise ValueError(
                f"batch_size: expected at most {largest} for {self.workers} workers, because a"
                f" function call processes {_MESSAGES_PER_WORKER} messages for each; raise workers"
                " or lower batch_size"
            )
        return self

    @model_validator(mode="after")
    def _check_required_features(self) -> Self:
        for name, feature in (
            ("event_bus_arn", "publish_events"),
            ("state_machine_arns", "publish_events"),
            ("alarm_emails", "alarms"),
        ):
            if getattr(self, name) and not getattr(self, feature):
                raise ValueError(f"{name}: requires {feature}=true; enable it, or remove {name}")
        return self

    @model_validator(mode="after")
    def _check_tokens(self) -> Self:
        if self.jwt_issuer and not self.jwt_audience:
            raise ValueError(
                "jwt_audience: expected at least one audience, because jwt_issuer is set;"
                " otherwise the API would accept all tokens of the issuer"
            )
        for name in ("jwt_audience", "jwt_submit_scopes"):
            if getattr(self, name) and not self.jwt_issuer:
                raise ValueError(f"jwt_issuer: expected an https:// URL, because {name} is set")
        return self

    @model_validator(mode="after")
    def _check_endpoint_paths(self) -> Self:
        if self.endpoint:
            for name in ("output_path", "failure_path"):
                path = getattr(self.endpoint, name)
                if path and not path.startswith(self.output_prefixes):
                    raise ValueError(
                        f"endpoint.{name}: expected a path below one of the output_prefixes,"
                        f" got {path!r}; add its prefix there, or choose another path"
                    )
        return self

    @property
    def has_one_topic(self) -> bool:
        """Whether both outcomes share an existing topic."""
        return self.success_topic_arn is not None and self.success_topic_arn == self.error_topic_arn

    @property
    def all_execution_role_arns(self) -> tuple[str, ...]:
        """The unique execution roles, with the one of `endpoint`."""
        of_endpoint = (self.endpoint.execution_role_arn,) if self.endpoint else ()
        return tuple(dict.fromkeys((*self.execution_role_arns, *of_endpoint)))

    @property
    def watched(self) -> tuple[WatchedEndpoint, ...]:
        """The watched endpoints, each with its variant."""
        pairs = (each.partition("/") for each in self.watched_endpoints)
        return tuple(
            WatchedEndpoint(name, variant or DEFAULT_VARIANT) for name, _, variant in pairs
        )

    @property
    def watched_names(self) -> tuple[str, ...]:
        """The unique names of the watched endpoints."""
        return tuple(dict.fromkeys(each.name for each in self.watched))

    @classmethod
    def from_context(cls, context: Mapping[str, Any]) -> Self:
        """Read the settings from `App.node.get_all_context()`.

        Ignores keys that are not identifiers (`@aws-cdk/...`), which are the CDK's own.
        Raises SettingsError.
        """
        try:
            return cls(**{key: each for key, each in context.items() if key.isidentifier()})
        except ValidationError as error:
            raise SettingsError("\n".join(map(format_error, error.errors()))) from None
