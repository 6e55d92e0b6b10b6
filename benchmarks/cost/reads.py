"""What it costs to ask for records: from the table, and over the HTTP API."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Final

import boto3

from benchmarks.cost.invocations import other_calls
from benchmarks.cost.prices import Item
from benchmarks.cost.runs import Stage
from benchmarks.cost.usage import Usage, by_part, together
from benchmarks.dynamodb_units import item_bytes, read_units
from benchmarks.notifications import ENDPOINT
from inference_results.client import Client, WaitTimeout
from inference_results.contract import Service, StackOutput
from local.api_client import StatusApi
from local.environment import READER_ROLE

PAGE: Final = 50
WAIT_SECONDS: Final = 20
"""The longest that the API holds a question open."""
WAIT_ON_TABLE: Final = f"a wait of {WAIT_SECONDS} s, from the table"
WAIT_OVER_API: Final = f"a wait of {WAIT_SECONDS} s, over the API"
_TIMES: Final = 20
_WAITS: Final = 2


def reads(stage: Stage) -> Iterator[tuple[str, Usage]]:
    """By name, once there are records enough for a page."""
    ended_id, going_on_id = stage.ended_id, stage.registered_id()
    get_units = _units_of(stage, lambda client: client.get(ended_id))
    page_units = _units_of(
        stage, lambda client: next(client.list(endpoint=ENDPOINT, page_size=PAGE))
    )
    yield "a record, from the table", Usage(1, by_part({Item.READ_UNIT: get_units}))
    yield f"a page of {PAGE}, from the table", Usage(1, by_part({Item.READ_UNIT: page_units}))
    api = StatusApi(stage.outputs[StackOutput.API_URL], READER_ROLE)
    get, listed = f"inferences/{ended_id}", "inferences"
    page = {"endpoint": ENDPOINT, "limit": str(PAGE)}
    _over_api(stage, api, _TIMES, None, get)  # to warm up
    yield "a record, over the API", _over_api(stage, api, _TIMES, get_units, get)
    yield f"a page of {PAGE}, over the API", _over_api(stage, api, _TIMES, page_units, listed, page)
    wait = {"wait": str(WAIT_SECONDS)}
    with ThreadPoolExecutor(1) as pool:
        on_table = pool.submit(_units_of, stage, partial(_wait_in_vain, going_on_id))
        over_api = _over_api(stage, api, _WAITS, None, f"inferences/{going_on_id}", wait)
    yield WAIT_ON_TABLE, Usage(1, by_part({Item.READ_UNIT: on_table.result()}))
    yield WAIT_OVER_API, over_api
    api.close()


def _wait_in_vain(inference_id: str, client: Client) -> None:
    with suppress(WaitTimeout):
        client.wait(inference_id, WAIT_SECONDS)


def _units_of(stage: Stage, ask: Callable[[Client], object]) -> float:
    with _read_units() as (session, units):
        client = Client.on_table(
            stage.outputs[StackOutput.TABLE_NAME],
            shards=int(stage.outputs[StackOutput.SHARDS]),
            session=session,
        )
        ask(client)
    return sum(units)


@contextmanager
def _read_units() -> Iterator[tuple[boto3.Session, list[float]]]:
    """Of the queries that a session makes, by the size of what they read."""
    units: list[float] = []

    def note_request(params: Any, context: Any, **_: Any) -> None:
        context["consistent"] = params.get("ConsistentRead", False)

    def note_answer(parsed: Any, context: Any, **_: Any) -> None:
        size = sum(map(item_bytes, parsed["Items"]))
        units.append(read_units(size, consistent=context["consistent"]))

    session = boto3.Session()
    session.events.register("before-parameter-build.dynamodb.Query", note_request)
    session.events.register("after-call.dynamodb.Query", note_answer)
    yield session, units


def _over_api(
    stage: Stage,
    api: StatusApi,
    times: int,
    units: float | None,
    path: str,
    query: dict[str, str] | None = None,
) -> Usage:
    """`units` of one question; None: one for each call, a consistent one of an item.

    Raises ValueError for a call that nothing here knows the price of.
    """

    def ask(_: int) -> None:
        api.ask(path, query=query or {}).raise_for_status()

    def ask_all() -> None:
        with ThreadPoolExecutor(_WAITS) as pool:
            list(pool.map(ask, range(times)))

    used = stage.functions[Service.STATUS_API].during(ask_all, times)
    read = used.calls["dynamodb", "Query"] if units is None else times * units
    others = {Item.HTTP_API_REQUEST: times, Item.READ_UNIT: read}
    return Usage(times, by_part(together([used.amounts(), others, other_calls(used)])))
