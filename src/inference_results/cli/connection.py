"""Opens the API or the table that the global options select."""

from dataclasses import dataclass, field

import boto3

from inference_results.cli.exit_codes import UsageError
from inference_results.client import Client
from inference_results.contract import DEFAULT_RETENTION_DAYS
from inference_results.operations.backfill import TableBackfill


@dataclass(frozen=True, kw_only=True)
class Connection:
    """The global options, from the command line or the environment."""

    api_url: str | None = None
    table: str | None = None
    shards: int | None = None
    summaries_table: str | None = None
    token: str | None = field(default=None, repr=False)
    profile: str | None = None
    endpoint: str | None = None

    def open(
        self, *, input_prefix: str | None = None, retention_days: int = DEFAULT_RETENTION_DAYS
    ) -> Client:
        """Create a client. Raises UsageError unless exactly one of API and table is set.

        `input_prefix` and `retention_days` apply when submitting on the table; the API has its own
        settings.
        """
        match self.api_url, self.table:
            case None, None:
                raise UsageError(
                    "no API or table given: pass --api-url (or set INFERENCE_RESULTS_API_URL)"
                    " or --table (or set INFERENCE_RESULTS_TABLE)"
                )
            case str(api_url), None:
                return Client(api_url, session=self._profile_session(), token=self.token)
            case None, str(table):
                return Client.on_table(
                    table,
                    shards=self._required_shards(),
                    summaries_table_name=self.summaries_table,
                    input_prefix=input_prefix,
                    retention_days=retention_days,
                    session=self._profile_session(),
                )
        raise UsageError("both --api-url and --table are given or set: use only one")

    def open_backfill(self) -> TableBackfill:
        """Raises UsageError without a table: the API cannot write records."""
        if self.table is None:
            raise UsageError(
                "backfill works on the table directly: pass --table"
                " (or set INFERENCE_RESULTS_TABLE)"
            )
        return TableBackfill(
            self.table, shards=self._required_shards(), session=self._profile_session()
        )

    def session(self) -> boto3.Session:
        """Create a session for commands that call AWS directly."""
        return self._profile_session() or boto3.Session()

    def required_endpoint(self, name: str | None) -> str:
        """Return `name`, or the global option. Raises UsageError if neither is set."""
        if endpoint := name or self.endpoint:
            return endpoint
        raise UsageError("no endpoint given: pass its name")

    def _required_shards(self) -> int:
        if self.shards is None:
            raise UsageError("--table requires --shards (or INFERENCE_RESULTS_SHARDS)")
        return self.shards

    def _profile_session(self) -> boto3.Session | None:
        return boto3.Session(profile_name=self.profile) if self.profile else None
