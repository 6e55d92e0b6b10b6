"""Whom the commands ask: the API, or the table itself."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import boto3

from inference_results.cli.exit_codes import UsageError
from inference_results.client import Client
from inference_results.contract import DEFAULT_RETENTION_DAYS

if TYPE_CHECKING:
    from inference_results.operations.backfill import TableBackfill


@dataclass(frozen=True, kw_only=True)
class Connection:
    """What was given before the command, or in the environment."""

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
        """A client; raises UsageError if it is not clear whom to ask.

        `input_prefix` and `retention_days` are for submitting on the table; the API has its own.
        """
        match self.api_url, self.table:
            case None, None:
                raise UsageError(
                    "whom to ask? Give --api-url (or set INFERENCE_RESULTS_API_URL)"
                    " or --table (or set INFERENCE_RESULTS_TABLE)"
                )
            case str(api_url), None:
                return Client(api_url, session=self._session(), token=self.token)
            case None, str(table):
                return Client.on_table(
                    table,
                    shards=self._given_shards(),
                    summaries_table_name=self.summaries_table,
                    input_prefix=input_prefix,
                    retention_days=retention_days,
                    session=self._session(),
                )
        raise UsageError("the API or the table? Both --api-url and --table are given or set")

    def open_backfill(self) -> "TableBackfill":
        """Raises UsageError without a table: no API writes records."""
        if self.table is None:
            raise UsageError(
                "this works on the table itself: give --table (or set INFERENCE_RESULTS_TABLE)"
            )
        # Not at the top: the other commands ask the API, and do not need what this loads.
        from inference_results.operations.backfill import TableBackfill

        return TableBackfill(self.table, shards=self._given_shards(), session=self._session())

    def session(self) -> boto3.Session:
        """For what is asked of AWS itself."""
        return self._session() or boto3.Session()

    def _given_shards(self) -> int:
        if self.shards is None:
            raise UsageError("--table needs --shards (or INFERENCE_RESULTS_SHARDS)")
        return self.shards

    def _session(self) -> boto3.Session | None:
        return boto3.Session(profile_name=self.profile) if self.profile else None
