"""The command `submit`."""

from typing import Annotated, Any

import typer

from inference_results.cli import options
from inference_results.cli.commands._wait import wait_with_progress
from inference_results.cli.connection import Connection
from inference_results.cli.exit_codes import exit_unless_completed
from inference_results.cli.input_files import read_input
from inference_results.cli.tables import print_record
from inference_results.contract import DEFAULT_RETENTION_DAYS


def _name_and_value(text: str) -> tuple[str, str]:
    name, equals, value = options.utf8_text(text).partition("=")
    if not name or not equals:
        raise typer.BadParameter("expected NAME=VALUE")
    return name, value


def submit(
    ctx: typer.Context,
    endpoint: Annotated[
        str, typer.Argument(parser=options.utf8_text, metavar="ENDPOINT", help="Endpoint name.")
    ],
    input: Annotated[
        str,
        typer.Argument(
            parser=options.utf8_text,
            metavar="FILE|S3-URI",
            help="Input: a file, - for standard input, or an S3 location (s3://bucket/key).",
        ),
    ],
    key: Annotated[
        str,
        typer.Option(
            parser=options.utf8_text,
            metavar="KEY",
            help="Idempotency key: the endpoint is invoked once per key.",
        ),
    ],
    content_type: Annotated[
        str | None,
        typer.Option(parser=options.utf8_text, metavar="TYPE", help="Content type of the input."),
    ] = None,
    accept: Annotated[
        str | None,
        typer.Option(
            parser=options.utf8_text, metavar="TYPE", help="Requested content type of the output."
        ),
    ] = None,
    metadata: Annotated[
        list[Any] | None,
        typer.Option(
            parser=_name_and_value,
            metavar="NAME=VALUE",
            help="Metadata to store in the record; repeat for several.",
        ),
    ] = None,
    task_token: Annotated[
        str | None,
        typer.Option(
            parser=options.utf8_text,
            envvar="INFERENCE_RESULTS_TASK_TOKEN",
            metavar="TOKEN",
            help="Token of a Step Functions task to complete when the inference ends."
            " Prefer the variable: other users can see your command line.",
        ),
    ] = None,
    custom_attributes: Annotated[
        str | None,
        typer.Option(
            parser=options.utf8_text, metavar="TEXT", help="Passed to the model's container."
        ),
    ] = None,
    request_ttl: Annotated[
        int | None,
        typer.Option(
            "--request-ttl",
            metavar="SECONDS",
            help="How long the request can wait in the endpoint's queue.",
        ),
    ] = None,
    invocation_timeout: Annotated[
        int | None,
        typer.Option(
            "--invocation-timeout", metavar="SECONDS", help="How long the model can take."
        ),
    ] = None,
    input_prefix: Annotated[
        str | None,
        typer.Option(
            envvar="INFERENCE_RESULTS_INPUT_PREFIX",
            metavar="S3-URI",
            help="With --table: where to upload inputs that are too large for a request"
            " (s3://bucket/prefix/).",
        ),
    ] = None,
    retention_days: options.RetentionDays = DEFAULT_RETENTION_DAYS,
    wait: Annotated[
        float | None,
        typer.Option(
            "--wait", min=0, metavar="SECONDS", help="Wait this long for the inference to end."
        ),
    ] = None,
    json: options.AsJson = False,
) -> None:
    """Invoke an endpoint, once per key.

    Running the same command again does not invoke the endpoint again: it prints the current record
    of the key, so you can retry after any error. If you reuse a key with another input, content
    type or accept type, the request is rejected.

    Prints the record as `get` does; the exit code is 0 whatever the status. With --wait, prints the
    record when the inference has ended, with the exit codes of `wait`.

    \b
    Examples:
      inference-results submit speech one.json --key order-7 --content-type application/json
      inference-results submit speech s3://my-bucket/in/one.wav --key one.wav --wait 600
      jq .input order-7.json | inference-results submit speech - --key order-7 --metadata job=7
    """
    connection: Connection = ctx.obj
    with connection.open(input_prefix=input_prefix, retention_days=retention_days) as client:
        inference = client.submit(
            endpoint,
            read_input(input),
            idempotency_key=key,
            metadata=dict(metadata) if metadata else None,
            task_token=task_token or None,
            content_type=content_type,
            accept=accept,
            custom_attributes=custom_attributes,
            request_ttl_seconds=request_ttl,
            invocation_timeout_seconds=invocation_timeout,
        )
        if wait is not None:
            (inference,) = wait_with_progress(client, [inference.inference_id], wait, endpoint)
    print_record(inference, json=json)
    if wait is not None:
        exit_unless_completed([inference.status])
