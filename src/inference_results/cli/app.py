"""The commands and their help."""

import os
import sys
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import Any, Final

import typer
from typer.core import TyperGroup

from inference_results.cli import options
from inference_results.cli.backfill_output import run_backfill
from inference_results.cli.commands.dead_letters import letters
from inference_results.cli.connection import Connection
from inference_results.cli.endpoints_output import carry_out, chosen_topics, wiring_with
from inference_results.cli.exit_codes import (
    ExitCode,
    UsageError,
    end_by_outcome,
    exit_codes,
    expected_errors,
)
from inference_results.cli.follow import PAGE_SIZE, Follower
from inference_results.cli.input_files import read_input
from inference_results.cli.output_files import save_to_file, write_to_stdout
from inference_results.cli.tables import print_record, print_row, print_rows, print_summary
from inference_results.cli.terminal import note, print_json
from inference_results.cli.wait_output import ended
from inference_results.client.records import DaySummary, Inference
from inference_results.contract import DEFAULT_RETENTION_DAYS
from inference_results.domain.reconciliation.backfill import BackfillScope
from inference_results.domain.record.result import NO_ENDPOINT
from inference_results.operations.backfill import RecordingOptions
from inference_results.operations.endpoints.attach import Attachment

_UNDER_WAY: Final = timedelta(hours=1)
"""For so long the notification of a fresh output may still be on its way to its record."""

_A_DAY: Final = timedelta(days=1)


class _Commands(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        with expected_errors():
            return super().invoke(ctx)


app = typer.Typer(
    cls=_Commands,
    name="inference-results",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # Plain help: brackets are what they are, and paragraphs wrap in a pipe as on a terminal.
    rich_markup_mode=None,
    epilog=exit_codes(),
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(letters)


def main() -> None:
    # Not every console can show every name.
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app()
    except SystemExit as end:
        if end.code == ExitCode.INTERRUPTED:
            # Python would wait for the threads, whose requests the service holds open.
            os._exit(ExitCode.INTERRUPTED)
        raise


@app.callback()
def connect(
    ctx: typer.Context,
    api_url: options.ApiUrl = None,
    table: options.TableName = None,
    shards: options.Shards = None,
    summaries_table: options.SummariesTableName = None,
    token: options.Token = None,
    profile: options.Profile = None,
    endpoint: options.Endpoint = None,
) -> None:
    """Submit SageMaker asynchronous inferences, and ask what became of them.

    Give --api-url or --table before the command, or set the variables.

    \b
    Examples:
      export INFERENCE_RESULTS_API_URL=https://abc123.execute-api.eu-west-1.amazonaws.com
      inference-results get 1234
      inference-results --profile staging wait 1234 5678 --timeout 600
      inference-results --table inferences --shards 10 list --status Failed
    """
    ctx.obj = Connection(
        api_url=api_url,
        table=table,
        shards=shards,
        summaries_table=summaries_table,
        token=token,
        profile=profile,
        endpoint=endpoint,
    )


@app.command()
def get(
    ctx: typer.Context,
    inference_id: options.InferenceId,
    endpoint: options.Endpoint = None,
    json: options.AsJson = False,
) -> None:
    """Show the record of an inference.

    On a terminal as a panel; in a pipe one line for each field: name, tab, value. Ends with 0
    whatever the status is.

    \b
    Examples:
      inference-results get 1234
      inference-results get 1234 --endpoint speech --json | jq .output.location
    """
    connection: Connection = ctx.obj
    with connection.open() as client:
        inference = client.get(inference_id, endpoint=endpoint or connection.endpoint)
    _print_record(inference, json=json)


@app.command()
def wait(
    ctx: typer.Context,
    inference_ids: options.InferenceIds,
    timeout: options.Timeout = 900,
    endpoint: options.Endpoint = None,
    json: options.AsJson = False,
) -> None:
    """Wait until inferences end, and show each as it does.

    An id that is not recorded is waited for too: it may come. The exit code tells the outcome: 0
    if all are Completed, 1 if one is not, 4 if one has not ended in time (whatever the others are),
    3 if nothing was ever recorded of those that have not ended.

    A line holds time, status, endpoint, id and the code of the failure, in a pipe parted by tabs;
    with --json it is the record.

    \b
    Examples:
      inference-results wait 1234 && inference-results output 1234 --to out.json
      inference-results wait 1234 5678 --timeout 600 --json
    """
    connection: Connection = ctx.obj
    ids = list(dict.fromkeys(inference_ids))
    statuses = []
    with connection.open() as client:
        for inference in ended(client, ids, timeout, endpoint or connection.endpoint):
            statuses.append(inference.status)
            _print_line(inference, json=json)
    end_by_outcome(statuses)


@app.command(name="list")
def list_inferences(
    ctx: typer.Context,
    endpoint: options.Endpoint = None,
    status: options.StatusFilter = None,
    since: options.Since = None,
    until: options.Until = None,
    limit: options.Limit = 50,
    follow: options.Follow = False,
    every: options.Every = 5,
    json: options.AsJson = False,
) -> None:
    """List inferences, newest first.

    Without an endpoint, a status other than Completed is needed. TIME is a time ago (30s, 30m, 2h,
    7d, 1w) or a timestamp with an offset (2026-01-25T22:46:00Z).

    In a pipe: lines of time, status, endpoint, id and code of the failure, parted by tabs, without
    a heading. With --json: a record in each line. Failures are told only with --status: the list
    of an endpoint alone is without them.

    With --follow the order is that of time, and new records are shown as they come, until Ctrl-C
    (exit code 130); an inference comes again when its status changes. A record that comes more
    than two minutes after its own time may be missed.

    \b
    Examples:
      inference-results list --endpoint speech --since 2h
      inference-results list --status Failed --since 7d --json | jq -r .inference_id
      inference-results list --endpoint speech --follow --limit 0
    """
    connection: Connection = ctx.obj
    if follow and until:
        raise UsageError("--follow has no end: leave out --until")
    if not (limit or follow):
        raise UsageError("--limit 0 is for --follow: give at least 1")
    endpoint = endpoint or connection.endpoint
    with connection.open() as client:
        if follow:
            following = Follower(
                client=client,
                endpoint=endpoint,
                status=status,
                since=since,
                limit=limit,
                pause_seconds=every,
            )
            for inference in following:
                _print_line(inference, json=json)
        else:
            found = client.list(
                endpoint=endpoint,
                status=status,
                since=since,
                until=until,
                page_size=min(limit, PAGE_SIZE),
            )
            _print_list(list(islice(found, limit)), json=json)


@app.command()
def output(
    ctx: typer.Context,
    inference_id: options.InferenceId,
    to: options.Target = None,
    force: options.Force = False,
    endpoint: options.Endpoint = None,
) -> None:
    """Write the output of an inference, byte for byte.

    To the standard output, or to a file, which is there whole or not at all. Bytes that are not
    UTF-8 text, or would steer the terminal, are not written to one without --force.

    \b
    Examples:
      inference-results output 1234 | jq .text
      inference-results output 1234 --to speech.wav
    """
    connection: Connection = ctx.obj
    endpoint = endpoint or connection.endpoint
    with connection.open() as client:
        if to is None or to == Path("-"):
            write_to_stdout(client, inference_id, endpoint, force=force)
        else:
            save_to_file(client, inference_id, endpoint, to)


@app.command()
def summary(
    ctx: typer.Context,
    endpoint: options.EndpointName = None,
    days: options.Days = 7,
    json: options.AsJson = False,
) -> None:
    """Count results by day and status, with latencies.

    Latency is from receiving the request to the result, in milliseconds. Only days with results
    are shown, the newest first; on a terminal the bars tell how many results took how long.

    In a pipe: lines of day, counts by status, 50th, 90th and 99th percentile, parted by tabs.

    \b
    Examples:
      inference-results summary speech
      inference-results summary speech --days 31 --json | jq '.days[].counts'
    """
    connection: Connection = ctx.obj
    endpoint = _named(endpoint or connection.endpoint)
    today = datetime.now(UTC).date()
    with connection.open() as client:
        found = client.summary(endpoint, since=today - timedelta(days=days - 1), until=today)
    if json:
        print_json(
            {"endpoint_name": endpoint, "days": [_document(day) for day in found]}, spread=True
        )
    elif found:
        print_summary(found)
    else:
        note("no results in these days")


@app.command()
def backfill(
    ctx: typer.Context,
    prefix: options.Prefix,
    since: options.WrittenSince,
    until: options.WrittenUntil = None,
    endpoint: options.EndpointOfOutputs = None,
    retention_days: options.RetentionDays = DEFAULT_RETENTION_DAYS,
    limit: options.MostRecorded = None,
    start_after: options.StartAfter = None,
    dry_run: options.DryRun = False,
    json: options.AsJson = False,
) -> None:
    """Record outputs that no record points to.

    For results from before this service was switched on. Works on the table itself (--table and
    --shards), with your rights: dynamodb:Scan and dynamodb:UpdateItem on the table, s3:ListBucket
    on the bucket. Give a prefix that holds outputs and nothing else: each object below it is taken
    for one.

    A record says when the object was written, and source: backfill. Its id follows from the
    location, so nothing is recorded twice, and a run that was stopped (Ctrl-C, kill, an error) can
    be repeated as it was, or go on with --start-after. TIME is as in list.

    The figures are on one line; in a pipe one line for each: name, tab, number. With --dry-run a
    line for each object: time, size in bytes, location. With --json: JSON.

    \b
    Examples:
      inference-results backfill --prefix s3://my-bucket/async-output/ --since 30d --dry-run
      inference-results backfill --prefix s3://my-bucket/async-output/ --since 30d
    """
    connection: Connection = ctx.obj
    until = until or datetime.now(UTC) - _UNDER_WAY
    if since >= until:
        raise UsageError("--since is not before --until (by default an hour ago)")
    extent = BackfillScope(
        prefix=prefix, since=since, until=until, start_after=start_after, limit=limit
    )
    recording = None
    if not dry_run:
        recording = RecordingOptions(
            endpoint_name=endpoint or connection.endpoint or NO_ENDPOINT,
            retention=timedelta(days=retention_days),
        )
    with connection.open_backfill() as table:
        run_backfill(table, extent, recording, json=json)


@app.command()
def wire(
    ctx: typer.Context,
    endpoint: options.EndpointName = None,
    success_topic: options.SuccessTopic = None,
    error_topic: options.ErrorTopic = None,
    stack: options.Stack = None,
    failure_path: options.FailurePath = None,
    include_response: options.IncludeResponse = None,
    apply: options.Apply = False,
    timeout: options.Timeout = 3600,
) -> None:
    """Have an endpoint that exists notify this service.

    Copies its endpoint config with the topics named, and updates the endpoint to the copy. First
    it is checked that the execution roles may publish. Without --apply nothing is changed: the
    differences are shown, and why it would be refused. It can be repeated, also after it was
    broken off.

    It asks AWS itself, with the credentials of --profile; no --api-url is needed.

    In a pipe: lines of member, value before, value after, parted by tabs.

    \b
    Examples:
      inference-results wire speech --stack InferenceResults
      inference-results wire speech --stack InferenceResults --apply
      inference-results wire speech --stack InferenceResults --include-response ERROR --apply
    """
    connection: Connection = ctx.obj
    name = _named(endpoint or connection.endpoint)
    session = connection.session()
    success_arn, error_arn = chosen_topics(session, success_topic, error_topic, stack)
    wires = Attachment(
        success_topic=success_arn,
        error_topic=error_arn,
        failure_path=failure_path,
        include_response_in=tuple(include_response) if include_response else None,
    )
    wiring = wiring_with(session)
    carry_out(wiring, wiring.plan(name, wires), apply=apply, timeout=timeout)


@app.command()
def unwire(
    ctx: typer.Context,
    endpoint: options.EndpointName = None,
    apply: options.Apply = False,
    timeout: options.Timeout = 3600,
) -> None:
    """Give an endpoint its former config back.

    That is the one from before it was wired, however often it was. Without --apply nothing is
    changed: the differences are shown. The copy stays, for the next time.

    \b
    Examples:
      inference-results unwire speech
      inference-results unwire speech --apply
    """
    connection: Connection = ctx.obj
    wiring = wiring_with(connection.session())
    plan = wiring.plan_back(_named(endpoint or connection.endpoint))
    carry_out(wiring, plan, apply=apply, timeout=timeout)


@app.command()
def doctor(
    ctx: typer.Context,
    stack: options.StackOfService,
    endpoint: options.EndpointsToCheck = None,
    since: options.LostSince = None,
    json: options.AsJson = False,
) -> None:
    """Check a deployment from end to end, and say what to do about each finding.

    It compares what is there with the template of the stack: topics, queues, functions, tables,
    schedule, bus, keys. It looks at the endpoints that use the topics, and at those that must: of
    --endpoint and of the stack's settings. And it tells of lost records and dead letters. It
    changes nothing, and asks AWS itself, with the credentials of --profile; no --api-url is needed.

    Ends with 0 if nothing was found, else with 1. What it may not look at is a finding too, and
    names the right. In a pipe: lines of severity, symptom, resource, problem, effect and remedy,
    parted by tabs.

    \b
    Examples:
      inference-results doctor --stack InferenceResults
      inference-results doctor --stack InferenceResults --endpoint speech --json | jq .remedy
    """
    connection: Connection = ctx.obj
    named = [*([connection.endpoint] if connection.endpoint else []), *(endpoint or [])]
    now = datetime.now(UTC)
    # Not at the top: the other commands do not need what this loads.
    from inference_results.cli.doctor_output import show_examination
    from inference_results.operations.doctor.examination import Examination

    examination = Examination.of(
        connection.session(),
        stack,
        endpoints=tuple(dict.fromkeys(named)),
        since=since or now - _A_DAY,
        now=now,
    )
    show_examination(stack, examination, json=json)


def _named(endpoint: str | None) -> str:
    if endpoint is None:
        raise UsageError("of which endpoint? Give its name")
    return endpoint


@app.command()
def submit(
    ctx: typer.Context,
    endpoint: options.SubmitTo,
    input: options.Input,
    key: options.Key,
    content_type: options.ContentType = None,
    accept: options.Accept = None,
    metadata: options.Metadata = None,
    task_token: options.TaskToken = None,
    custom_attributes: options.CustomAttributes = None,
    request_ttl: options.RequestTtl = None,
    invocation_timeout: options.InvocationTimeout = None,
    input_prefix: options.InputPrefix = None,
    retention_days: options.RetentionDays = DEFAULT_RETENTION_DAYS,
    wait: options.WaitFor = None,
    json: options.AsJson = False,
) -> None:
    """Invoke an endpoint, once for each key.

    The same call again invokes nothing: it shows the record of the key as it stands. So it may
    follow any error. The same key with another input, or other types, is refused.

    Shows the record as `get` does, with 0 whatever the status is. With --wait it shows the record
    once it has ended, and the exit code tells the outcome, as that of `wait` does.

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
            (inference,) = ended(client, [inference.inference_id], wait, endpoint)
    _print_record(inference, json=json)
    if wait is not None:
        end_by_outcome([inference.status])


def _print_record(inference: Inference, *, json: bool) -> None:
    if json:
        print_json(inference.raw, spread=True)
    else:
        print_record(inference)


def _print_line(inference: Inference, *, json: bool) -> None:
    if json:
        print_json(inference.raw)
    else:
        print_row(inference)


def _print_list(inferences: list[Inference], *, json: bool) -> None:
    if json:
        for inference in inferences:
            print_json(inference.raw)
    elif inferences:
        print_rows(inferences)
    else:
        note("no inferences found")


def _document(day: DaySummary) -> dict[str, Any]:
    """In the shape of the API."""
    known = {name: value for name, value in asdict(day).items() if value is not None}
    return known | {"day": day.day.isoformat()}
