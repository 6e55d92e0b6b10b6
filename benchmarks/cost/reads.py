"""Usage of reads: on the table, and over the HTTP API."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Final

import boto3

from benchmarks.cost.invocations import other_calls
from benchmarks.cost.measured_system import MeasuredSystem
from benchmarks.cost.prices import Item
from benchmarks.cost.usage import Usage, by_part, total
from benchmarks.dynamodb_units import item_bytes, read_units
from benchmarks.notifications import ENDPOINT
from inference_results.client import Client, WaitTimeout
from inference_results.contract import Service, StackOutput
from local.api_client import ApiClient
from local.environment import READER_ROLE

PAGE: Final = 50
WAIT_SECONDS: Final = 20
"""The longest that the API holds a request."""
WAIT_ON_TABLE: Final = f"wait of {WAIT_SECONDS} s, on the table"
WAIT_OVER_HTTP: Final = f"wait of {WAIT_SECONDS} s, over HTTP"
_REQUESTS: Final = 20
_WAITS: Final = 2


def measure_reads(system: MeasuredSystem) -> Iterator[tuple[str, Usage]]:
    """Measure reads by name. The system must already have enough records for a page."""
    ended_id, in_progress_id = system.ended_id, system.register_one()
    get_units = _units_on_table(system, lambda client: client.get(ended_id))
    page_units = _units_on_table(
        system, lambda client: next(client.list(endpoint=ENDPOINT, page_size=PAGE))
    )
    yield "one record, on the table", Usage(1, by_part({Item.READ_UNIT: get_units}))
    yield f"page of {PAGE}, on the table", Usage(1, by_part({Item.READ_UNIT: page_units}))
    api = ApiClient(system.outputs[StackOutput.API_URL], READER_ROLE)
    over_http = partial(_over_http, system, api)
    get = f"inferences/{ended_id}"
    over_http(_REQUESTS, None, get)  # warm-up
    yield "one record, over HTTP", over_http(_REQUESTS, get_units, get)
    page = {"endpoint": ENDPOINT, "limit": str(PAGE)}
    yield f"page of {PAGE}, over HTTP", over_http(_REQUESTS, page_units, "inferences", page)
    with ThreadPoolExecutor(1) as pool:
        on_table = pool.submit(_units_on_table, system, partial(_wait_in_vain, in_progress_id))
        wait = {"wait": str(WAIT_SECONDS)}
        waited = over_http(_WAITS, None, f"inferences/{in_progress_id}", wait)
    yield WAIT_ON_TABLE, Usage(1, by_part({Item.READ_UNIT: on_table.result()}))
    yield WAIT_OVER_HTTP, waited
    api.close()


def _wait_in_vain(inference_id: str, client: Client) -> None:
    with suppress(WaitTimeout):
        client.wait(inference_id, WAIT_SECONDS)


def _units_on_table(system: MeasuredSystem, read: Callable[[Client], object]) -> float:
    with _counted_session() as (session, units):
        client = Client.on_table(
            system.outputs[StackOutput.TABLE_NAME],
            shards=int(system.outputs[StackOutput.SHARDS]),
            session=session,
        )
        read(client)
    return sum(units)


@contextmanager
def _counted_session() -> Iterator[tuple[boto3.Session, list[float]]]:
    """Create a session with a list of its queries' read units, by the size of what they read."""
    units: list[float] = []

    def note_request(params: Any, context: Any, **_: Any) -> None:
        context["consistent"] = params.get("ConsistentRead", False)

    def note_response(parsed: Any, context: Any, **_: Any) -> None:
        size = sum(map(item_bytes, parsed["Items"]))
        units.append(read_units(size, consistent=context["consistent"]))

    session = boto3.Session()
    session.events.register("before-parameter-build.dynamodb.Query", note_request)
    session.events.register("after-call.dynamodb.Query", note_response)
    yield session, units


def _over_http(
    system: MeasuredSystem,
    api: ApiClient,
    requests: int,
    units: float | None,
    path: str,
    query: dict[str, str] | None = None,
) -> Usage:
    """Measure a number of equal requests.

    `units` are the read units per request. None counts one per Query, for a consistent read of one
    item. Raises ValueError for a call without a known price.
    """

    def send(_: int) -> None:
        api.request(path, query=query or {}).raise_for_status()

    def send_all() -> None:
        with ThreadPoolExecutor(_WAITS) as pool:
            list(pool.map(send, range(requests)))

    used = system.functions[Service.STATUS_API].measure(send_all, requests)
    read = used.calls["dynamodb", "Query"] if units is None else requests * units
    others = {Item.HTTP_API_REQUEST: requests, Item.READ_UNIT: read}
    return Usage(requests, by_part(total([used.amounts(), others, other_calls(used)])))
