"""The commands that attach endpoints to this service: attach, detach."""

from typing import Annotated, Final

import boto3
import typer
from botocore.config import Config

from inference_results.cli import options
from inference_results.cli.connection import Connection
from inference_results.cli.exit_codes import UsageError
from inference_results.cli.progress import progress_bar
from inference_results.cli.tables import print_changes
from inference_results.cli.terminal import print_note
from inference_results.operations.endpoints.attach import Attachment, AttachPlan, EndpointAttacher
from inference_results.operations.endpoints.configs import ConfigChange, EndpointConfigs
from inference_results.operations.endpoints.permissions import PermissionSimulator, RolePermissions
from inference_results.operations.endpoints.updates import Endpoints
from inference_results.operations.stack import Stack

_CONFIG: Final = Config(
    connect_timeout=5,
    # UpdateEndpoint publishes test notifications before it responds. A second call after a timeout
    # is rejected, because the first update is in progress.
    read_timeout=60,
    retries={"mode": "standard", "total_max_attempts": 5},
)

_Apply = Annotated[
    bool, typer.Option("--apply/--dry-run", help="Apply the changes, or only show them.")
]


def _topic_type(text: str) -> str:
    """Translate SUCCESS or ERROR to SageMaker's name."""
    if text.upper() not in ("SUCCESS", "ERROR"):
        raise typer.BadParameter("expected SUCCESS or ERROR")
    return f"{text.upper()}_NOTIFICATION_TOPIC"


def attach(
    ctx: typer.Context,
    endpoint: options.EndpointName = None,
    success_topic: Annotated[
        str | None, typer.Option(metavar="ARN", help="Topic for completed inferences.")
    ] = None,
    error_topic: Annotated[
        str | None, typer.Option(metavar="ARN", help="Topic for failed inferences.")
    ] = None,
    stack: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Stack of this service: use its topics instead of the ARNs."
        ),
    ] = None,
    failure_path: Annotated[
        str | None,
        typer.Option(
            metavar="S3-URI",
            help="New S3FailurePath (s3://bucket/prefix/); default: keep the config's.",
        ),
    ] = None,
    include_response: Annotated[
        list[str] | None,
        typer.Option(
            parser=_topic_type,
            metavar="TOPIC",
            help="SUCCESS or ERROR: include responses of up to 128 KB in this topic's"
            " notifications; repeat for both. Default: keep the config's.",
        ),
    ] = None,
    apply: _Apply = False,
    timeout: options.Timeout = 3600,
) -> None:
    """Attach an existing endpoint to this service's topics.

    Copies the endpoint's config, sets the topics in the copy and updates the endpoint to it. First
    checks that the execution roles can publish to the topics. Without --apply, changes nothing: it
    shows the differences and missing permissions. You can rerun it after an interruption.

    Calls AWS directly, with the credentials of --profile; needs no --api-url.

    In a pipe, prints tab-separated lines: member, old value, new value.

    \b
    Examples:
      inference-results attach speech --stack InferenceResults
      inference-results attach speech --stack InferenceResults --apply
      inference-results attach speech --stack InferenceResults --include-response ERROR --apply
    """
    connection: Connection = ctx.obj
    name = connection.required_endpoint(endpoint)
    session = connection.session()
    success_arn, error_arn = _topics(session, success_topic, error_topic, stack)
    attachment = Attachment(
        success_topic=success_arn,
        error_topic=error_arn,
        failure_path=failure_path,
        include_response_in=tuple(include_response) if include_response else None,
    )
    attacher = _attacher(session)
    _show_and_apply(attacher, attacher.plan_attach(name, attachment), apply=apply, timeout=timeout)


def detach(
    ctx: typer.Context,
    endpoint: options.EndpointName = None,
    apply: _Apply = False,
    timeout: options.Timeout = 3600,
) -> None:
    """Restore the endpoint config from before `attach`.

    Restores the original config, even if you attached the endpoint several times. Without --apply,
    changes nothing: it shows the differences. The copy stays available for the next `attach`.

    \b
    Examples:
      inference-results detach speech
      inference-results detach speech --apply
    """
    connection: Connection = ctx.obj
    attacher = _attacher(connection.session())
    plan = attacher.plan_detach(connection.required_endpoint(endpoint))
    _show_and_apply(attacher, plan, apply=apply, timeout=timeout)


def _attacher(session: boto3.Session) -> EndpointAttacher:
    sagemaker = session.client("sagemaker", config=_CONFIG)
    return EndpointAttacher(
        endpoints=Endpoints(sagemaker=sagemaker),
        configs=EndpointConfigs(sagemaker),
        permissions=PermissionSimulator(sagemaker, session.client("iam", config=_CONFIG)),
    )


def _topics(
    session: boto3.Session, success: str | None, error: str | None, stack: str | None
) -> tuple[str, str]:
    """Return the ARNs of the success topic and the error topic."""
    match success, error, stack:
        case str(), str(), None:
            return success, error
        case None, None, str():
            return Stack.read(session.client("cloudformation", config=_CONFIG), stack).topics
    raise UsageError("pass either --stack, or both --success-topic and --error-topic")


def _show_and_apply(
    attacher: EndpointAttacher, plan: AttachPlan, *, apply: bool, timeout: float
) -> None:
    name, target = plan.endpoint.name, plan.target.name
    if plan.is_done:
        print_note(f"{name}: nothing to change, already in service with {target}")
        return
    config_change = ConfigChange(
        path="EndpointConfigName", before=plan.endpoint.config_name, after=target
    )
    print_changes([config_change, *plan.changes])
    for warning in plan.warnings:
        print_note(f"{name}: {warning}")
    for role in plan.permissions:
        _note_permissions(role)
    plan.raise_if_permissions_missing()
    if not apply:
        print_note("nothing was changed: use --apply to apply the changes")
        return
    _apply(attacher, plan, timeout)
    print_note(f"{name}: in service with {target}")


def _note_permissions(role: RolePermissions) -> None:
    if role.unknown is not None:
        print_note(
            f"{role.role_arn}: could not check its permissions ({role.unknown}); to check, run:"
        )
        for command in role.commands:
            print_note(f"  {command}")
    elif role.missing:
        print_note(f"{role.role_arn}: add these statements to its policy: {role.statements}")


def _apply(attacher: EndpointAttacher, plan: AttachPlan, timeout: float) -> None:
    with progress_bar() as bar:
        task = bar.add_task("updating", total=None)
        attacher.apply(plan, timeout, progress=lambda status: bar.update(task, description=status))
