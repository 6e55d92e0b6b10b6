"""Control when the deployed functions run, and measure what their invocations use."""

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final

import boto3
import psutil

from benchmarks.cost.counting_proxy import CountingProxy
from benchmarks.cost.invocations import Invocations
from benchmarks.local_system import eventually
from inference_results.contract import Service, StackOutput
from local.embedded_aws import NAME
from local.environment import LocalFolder
from local.processes import Processes

SERVICES: Final = (
    Service.RECORD_RESULT,
    Service.SUMMARIZE,
    Service.PUBLISH_EVENTS,
    Service.STATUS_API,
    Service.SUBMISSION_API,
)

_DURATION: Final = re.compile(r"Duration: ([\d.]+) ms")


class Function:
    """A deployed function whose AWS calls go through the proxy, and its mapping, if any."""

    def __init__(
        self, folder: LocalFolder, proxy: CountingProxy, configuration: Any, mapping: str | None
    ) -> None:
        self._emulator = Processes(folder.path).process(NAME)
        self._proxy = proxy
        self._name: str = configuration["FunctionName"]
        self._memory_mb: int = configuration["MemorySize"]
        self._log_group: str = configuration["LoggingConfig"]["LogGroup"]
        self._mapping = mapping
        self._lambda = boto3.client("lambda")
        self._logs = boto3.client("logs")
        variables = configuration["Environment"]["Variables"]
        self._lambda.update_function_configuration(
            FunctionName=self._name, Environment={"Variables": variables | proxy.variables}
        )

    def enable_mapping(self, enabled: bool, **options: Any) -> None:
        """Enable or disable the mapping. `options` are its settings, such as `BatchSize`."""
        assert self._mapping
        self._lambda.update_event_source_mapping(UUID=self._mapping, Enabled=enabled, **options)

    def invoke(self, event: Any) -> Any:
        """Invoke the function and return its response. Raises RuntimeError if it fails."""
        response = self._lambda.invoke(FunctionName=self._name, Payload=json.dumps(event))
        payload = response["Payload"].read()
        if "FunctionError" in response:
            raise RuntimeError(f"{self._name} failed: {payload.decode()}")
        return json.loads(payload)

    def measure(self, work: Callable[[], object], invocations: int) -> Invocations:
        """Run `work`, wait for this many invocations, and return what they used.

        Raises TimeoutError for fewer invocations, and ValueError for more: then some batches were
        not full.
        """
        since = int(time.time() * 1000) + 1
        time.sleep(0.01)
        calls = self._proxy.calls()
        cpu_seconds = self._cpu_seconds()
        work()
        log = eventually(lambda: self._complete_log(since, invocations))
        reports = [each for each in log if each.startswith("REPORT ")]
        if len(reports) != invocations:
            raise ValueError(
                f"{self._name}: expected {invocations} invocations, got {len(reports)}"
            )
        return Invocations(
            durations_ms=tuple(float(_DURATION.findall(each)[0]) for each in reports),
            cpu_seconds=self._cpu_seconds() - cpu_seconds,
            memory_mb=self._memory_mb,
            log=tuple(log),
            calls=self._proxy.calls() - calls,
        )

    def _complete_log(self, since: int, invocations: int) -> list[str] | None:
        log = list(self._log(since))
        ended = sum(each.startswith("REPORT ") for each in log)
        return log if ended >= invocations else None

    def _log(self, since: int) -> Iterator[str]:
        pages = self._logs.get_paginator("filter_log_events")
        for page in pages.paginate(logGroupName=self._log_group, startTime=since):
            yield from (each["message"].rstrip("\n") for each in page["events"])

    def _cpu_seconds(self) -> float:
        assert self._emulator
        seconds = 0.0
        for process in self._emulator.children():
            with suppress(psutil.NoSuchProcess):
                if process.environ().get("AWS_LAMBDA_FUNCTION_NAME") == self._name:
                    times = process.cpu_times()
                    seconds += times.user + times.system
        return seconds


def deployed_functions(folder: LocalFolder, proxy: CountingProxy) -> dict[Service, Function]:
    """Return the functions by service, routed through the proxy, with disabled mappings.

    Of the two recorders, it returns that of the completed results.
    """
    client = boto3.client("lambda")
    queue = folder.outputs()[StackOutput.COMPLETED_QUEUE_URL].rpartition("/")[2]
    mappings = {
        each["FunctionArn"]: each["UUID"]
        for each in client.list_event_source_mappings()["EventSourceMappings"]
        if "/stream/" in each["EventSourceArn"] or each["EventSourceArn"].endswith(f":{queue}")
    }
    functions = {}
    for page in client.get_paginator("list_functions").paginate():
        for each in page["Functions"]:
            service = (
                each.get("Environment", {}).get("Variables", {}).get("POWERTOOLS_SERVICE_NAME")
            )
            mapping = mappings.get(each["FunctionArn"])
            if service in SERVICES and (mapping or service.endswith("_api")):
                function = functions[Service(service)] = Function(folder, proxy, each, mapping)
                if mapping:
                    function.enable_mapping(False)
    return functions
