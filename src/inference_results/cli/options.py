"""Options and arguments of the commands, and how their texts are read."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from inference_results.cli.time_arguments import parse_time
from inference_results.contract import MAX_RETENTION_DAYS, Status
from inference_results.domain.record.errors import LocationRejected
from inference_results.domain.record.location import Location, parse_prefix
from inference_results.operations.dead_letters.queues import QueueName


def _point_in_time(text: str) -> datetime:
    try:
        return parse_time(text, datetime.now(UTC))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _utf8(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise typer.BadParameter("expected UTF-8 text") from error
    return text


def _prefix(text: str) -> Location:
    try:
        return parse_prefix(_utf8(text))
    except LocationRejected as error:
        raise typer.BadParameter(error.message) from error


def _status(text: str) -> str:
    """A known status in any case; another as it is, for the vocabulary is open."""
    return {str(status).lower(): str(status) for status in Status}.get(text.lower(), _utf8(text))


def _statuses(incomplete: str) -> list[str]:
    """In the case of what was typed, without which shells refuse a completion."""
    found = (each for each in Status if each.lower().startswith(incomplete.lower()))
    return [incomplete + each[len(incomplete) :] for each in found]


def _topic_type(text: str) -> str:
    """SageMaker's word for one of its two topics."""
    if text.upper() not in ("SUCCESS", "ERROR"):
        raise typer.BadParameter("expected SUCCESS or ERROR")
    return f"{text.upper()}_NOTIFICATION_TOPIC"


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = _utf8(text).partition("=")
    if not name or not equals:
        raise typer.BadParameter("expected NAME=VALUE")
    return name, value


ApiUrl = Annotated[
    str | None,
    typer.Option(envvar="INFERENCE_RESULTS_API_URL", metavar="URL", help="URL of the HTTP API."),
]
TableName = Annotated[
    str | None,
    typer.Option(
        envvar="INFERENCE_RESULTS_TABLE",
        metavar="NAME",
        help="Name of the table, to read it without the API.",
    ),
]
Shards = Annotated[
    int | None,
    typer.Option(
        envvar="INFERENCE_RESULTS_SHARDS",
        min=1,
        metavar="NUMBER",
        help="Shards of the table's indexes, as deployed.",
    ),
]
SummariesTableName = Annotated[
    str | None,
    typer.Option(
        envvar="INFERENCE_RESULTS_SUMMARIES_TABLE",
        metavar="NAME",
        help="Name of the table of summaries, beside --table.",
    ),
]
Token = Annotated[
    str | None,
    typer.Option(
        envvar="INFERENCE_RESULTS_TOKEN",
        metavar="JWT",
        help="Token for the API; without it requests are signed with AWS credentials."
        " Others can see it on a command line: set the variable.",
    ),
]
Profile = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="AWS profile with the credentials and the region."),
]

InferenceId = Annotated[
    str,
    typer.Argument(
        parser=_utf8, metavar="ID", help="The inference id; after -- if it begins with -."
    ),
]
InferenceIds = Annotated[
    list[str],
    typer.Argument(
        parser=_utf8, metavar="ID...", help="Inference ids; after -- if one begins with -."
    ),
]
EndpointName = Annotated[
    str | None,
    typer.Argument(
        parser=_utf8,
        metavar="ENDPOINT",
        help="The name of the endpoint; by default that of --endpoint before the command.",
    ),
]
Endpoint = Annotated[
    str | None, typer.Option(parser=_utf8, metavar="NAME", help="Only this endpoint.")
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON, as the API answers it.")]
Timeout = Annotated[float, typer.Option(min=0, metavar="SECONDS", help="How long to wait.")]
StatusFilter = Annotated[
    str | None,
    typer.Option(
        parser=_status,
        autocompletion=_statuses,
        metavar="STATUS",
        help="InProgress, Completed, Failed, Expired, Lost or another.",
    ),
]
Since = Annotated[
    datetime | None,
    typer.Option(parser=_point_in_time, metavar="TIME", help="From this time on."),
]
Until = Annotated[
    datetime | None,
    typer.Option(parser=_point_in_time, metavar="TIME", help="Before this time."),
]
Limit = Annotated[
    int,
    typer.Option(min=0, metavar="NUMBER", help="How many at most; of --follow: to begin with."),
]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on with new records.")]
Every = Annotated[
    float,
    typer.Option(min=0.5, max=86400, metavar="SECONDS", help="How often --follow looks."),
]
Target = Annotated[
    Path | None,
    typer.Option(
        dir_okay=False,
        allow_dash=True,
        metavar="FILE",
        help="Where to save it, replacing what is there; - is the standard output.",
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Write to a terminal what is not text.")]
Days = Annotated[
    int, typer.Option(min=1, max=31, metavar="NUMBER", help="Days of UTC, with today; at most 31.")
]

Prefix = Annotated[
    Location,
    typer.Option(
        parser=_prefix, metavar="LOCATION", help="Where outputs are: s3://bucket/prefix/."
    ),
]
WrittenSince = Annotated[
    datetime,
    typer.Option(parser=_point_in_time, metavar="TIME", help="Written from this time on."),
]
WrittenUntil = Annotated[
    datetime | None,
    typer.Option(
        parser=_point_in_time,
        metavar="TIME",
        help="Written before this time; by default an hour ago.",
    ),
]
EndpointOfOutputs = Annotated[
    str | None,
    typer.Option(
        parser=_utf8, metavar="NAME", help="The endpoint to record them under; - if none is given."
    ),
]
RetentionDays = Annotated[
    int,
    typer.Option(
        min=1,
        max=MAX_RETENTION_DAYS,
        metavar="NUMBER",
        help="For how many days what is written to the table is kept.",
    ),
]
MostRecorded = Annotated[
    int | None,
    typer.Option(min=1, metavar="NUMBER", help="How many to record at most."),
]
StartAfter = Annotated[
    str | None,
    typer.Option(parser=_utf8, metavar="KEY", help="Leave out the keys up to this one."),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Write nothing: show what would be recorded.")
]

SuccessTopic = Annotated[
    str | None, typer.Option(metavar="ARN", help="Topic that is told of completed inferences.")
]
ErrorTopic = Annotated[
    str | None, typer.Option(metavar="ARN", help="Topic that is told of failed inferences.")
]
Stack = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="Stack of this service, whose two topics are meant, in place of them."
    ),
]
StackOfService = Annotated[
    str, typer.Option("--stack", metavar="NAME", help="Stack of this service.")
]
EndpointsToCheck = Annotated[
    list[str] | None,
    typer.Option(
        "--endpoint",
        parser=_utf8,
        metavar="NAME",
        help="An endpoint that must notify this service; may be given several times.",
    ),
]
LostSince = Annotated[
    datetime | None,
    typer.Option(
        parser=_point_in_time,
        metavar="TIME",
        help="Tell of records that became Lost from this time on; by default a day ago.",
    ),
]
FailurePath = Annotated[
    str | None,
    typer.Option(
        metavar="S3_URI",
        help="S3FailurePath: s3://bucket/prefix/. By default that of the config is kept.",
    ),
]
IncludeResponse = Annotated[
    list[str] | None,
    typer.Option(
        parser=_topic_type,
        metavar="TOPIC",
        help="SUCCESS or ERROR, or both by giving it twice: the response, up to 128 KB, stands in"
        " the notifications of this topic. By default what the config says is kept.",
    ),
]
Apply = Annotated[
    bool, typer.Option("--apply/--dry-run", help="Do it, or only show what would be done.")
]

StackName = Annotated[
    str,
    typer.Option(
        "--stack",
        envvar="INFERENCE_RESULTS_STACK",
        metavar="NAME",
        help="Stack of this service, whose queues are meant.",
    ),
]
Queue = Annotated[
    QueueName | None,
    typer.Argument(metavar="QUEUE", help="A queue by its name.", show_choices=False),
]
QueueArgument = Annotated[
    QueueName, typer.Argument(metavar="QUEUE", help="A queue by its name.", show_choices=False)
]
MessageId = Annotated[
    str, typer.Argument(parser=_utf8, metavar="MESSAGE_ID", help="As list shows it.")
]
MessageIds = Annotated[
    list[str] | None,
    typer.Argument(parser=_utf8, metavar="MESSAGE_ID...", help="As list shows them."),
]
AllLetters = Annotated[bool, typer.Option("--all", help="All messages of the queue.")]
MostLetters = Annotated[
    int, typer.Option(min=1, metavar="NUMBER", help="How many messages at most.")
]
MostLookedAt = Annotated[
    int, typer.Option(min=1, metavar="NUMBER", help="How many messages to look at, at most.")
]
Rate = Annotated[
    float, typer.Option(min=0.01, metavar="NUMBER", help="How many messages a second at most.")
]
SaveTo = Annotated[
    Path | None,
    typer.Option("--save", dir_okay=False, metavar="FILE", help="Keep what is deleted in a file."),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

SubmitTo = Annotated[
    str, typer.Argument(parser=_utf8, metavar="ENDPOINT", help="The name of the endpoint.")
]
Input = Annotated[
    str,
    typer.Argument(
        parser=_utf8,
        metavar="FILE|S3-URI",
        help="The input: a file, - for the standard input, or where it is: s3://bucket/key.",
    ),
]
Key = Annotated[
    str,
    typer.Option(
        parser=_utf8,
        metavar="KEY",
        help="Stands for this request: with the same key it is invoked once.",
    ),
]
ContentType = Annotated[
    str | None, typer.Option(parser=_utf8, metavar="TYPE", help="The type of the input.")
]
Accept = Annotated[
    str | None, typer.Option(parser=_utf8, metavar="TYPE", help="The wanted type of the output.")
]
Metadata = Annotated[
    list[Any] | None,
    typer.Option(
        parser=_pair,
        metavar="NAME=VALUE",
        help="Kept with the record; may be given several times.",
    ),
]
TaskToken = Annotated[
    str | None,
    typer.Option(
        parser=_utf8,
        envvar="INFERENCE_RESULTS_TASK_TOKEN",
        metavar="TOKEN",
        help="Of a state machine's task, which is answered when the inference has ended."
        " Others can see it on a command line: set the variable.",
    ),
]
CustomAttributes = Annotated[
    str | None,
    typer.Option(parser=_utf8, metavar="TEXT", help="Passed on to the model's container."),
]
RequestTtl = Annotated[
    int | None,
    typer.Option("--request-ttl", metavar="SECONDS", help="How long it may wait in the queue."),
]
InvocationTimeout = Annotated[
    int | None,
    typer.Option("--invocation-timeout", metavar="SECONDS", help="How long the model may take."),
]
InputPrefix = Annotated[
    str | None,
    typer.Option(
        envvar="INFERENCE_RESULTS_INPUT_PREFIX",
        metavar="S3",
        help="With --table: where to put inputs that a request cannot hold, s3://bucket/prefix/.",
    ),
]
WaitFor = Annotated[
    float | None,
    typer.Option("--wait", min=0, metavar="SECONDS", help="Wait for the end, and show that."),
]
