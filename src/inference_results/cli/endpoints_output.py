"""Wiring: what is asked of AWS itself, and how a plan is shown and carried out."""

import sys
from typing import Final

import boto3
from botocore.config import Config
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from inference_results.cli.exit_codes import UsageError
from inference_results.cli.tables import print_changes
from inference_results.cli.terminal import console, is_terminal, note
from inference_results.operations.endpoints.attach import AttachPlan, EndpointAttacher
from inference_results.operations.endpoints.configs import Change, EndpointConfigs
from inference_results.operations.endpoints.permissions import PermissionSimulator, RolePermissions
from inference_results.operations.endpoints.updates import Endpoints
from inference_results.operations.stack import Stack

_CONFIG: Final = Config(
    connect_timeout=5,
    # UpdateEndpoint publishes before it answers. Sent twice, the second is refused: an update is
    # under way.
    read_timeout=60,
    retries={"mode": "standard", "total_max_attempts": 5},
)


def wiring_with(session: boto3.Session) -> EndpointAttacher:
    sagemaker = session.client("sagemaker", config=_CONFIG)
    return EndpointAttacher(
        endpoints=Endpoints(sagemaker=sagemaker),
        configs=EndpointConfigs(sagemaker),
        rights=PermissionSimulator(sagemaker, session.client("iam", config=_CONFIG)),
    )


def chosen_topics(
    session: boto3.Session, success: str | None, error: str | None, stack: str | None
) -> tuple[str, str]:
    """ARNs of the two topics. Raises UsageError if it is not clear which."""
    match success, error, stack:
        case str(), str(), None:
            return success, error
        case None, None, str():
            return Stack.described(session.client("cloudformation", config=_CONFIG), stack).topics
    raise UsageError("which topics? Give --stack, or --success-topic and --error-topic")


def carry_out(wiring: EndpointAttacher, plan: AttachPlan, *, apply: bool, timeout: float) -> None:
    """Show the plan, and what one should know of it; then do it, if it is to be applied."""
    name, target = plan.endpoint.name, plan.target.name
    if plan.is_done:
        note(f"{name}: nothing to change, it is in service with {target}")
        return
    renamed = Change(path="EndpointConfigName", before=plan.endpoint.config_name, after=target)
    print_changes([renamed, *plan.changes])
    for remark in plan.remarks:
        note(f"{name}: {remark}")
    for rights in plan.rights:
        _note_rights(rights)
    plan.raise_for_rights()
    if not apply:
        note("nothing was changed: --apply does it")
        return
    _apply(wiring, plan, timeout)
    note(f"{name}: in service with {target}")


def _note_rights(rights: RolePermissions) -> None:
    if rights.unknown is not None:
        note(f"{rights.role_arn}: its rights could not be checked ({rights.unknown}); ask IAM:")
        for command in rights.commands:
            note(f"  {command}")
    elif rights.missing:
        note(f"{rights.role_arn}: add to a policy of it: {rights.statements}")


def _apply(wiring: EndpointAttacher, plan: AttachPlan, timeout: float) -> None:
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
        console=console(sys.stderr),
        disable=not is_terminal(sys.stderr),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    ) as bar:
        updating = bar.add_task("updating", total=None)
        wiring.apply(
            plan, timeout, progress=lambda status: bar.update(updating, description=status)
        )
