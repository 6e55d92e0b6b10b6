"""The deployed functions: who invokes them and when, and what their invocations used."""

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
    """A deployed function, led through the proxy, and the mapping that invokes it, if any."""

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

    def run(self, enabled: bool, **options: Any) -> None:
        """`options`: of the mapping, `BatchSize` for one."""
        assert self._mapping
        self._lambda.update_event_source_mapping(UUID=self._mapping, Enabled=enabled, **options)

    def invoke(self, event: Any) -> Any:
        """What it answers. Raises RuntimeError if it fails."""
        answer = self._lambda.invoke(FunctionName=self._name, Payload=json.dumps(event))
        told = answer["Payload"].read()
        if "FunctionError" in answer:
            raise RuntimeError(f"{self._name}: {told.decode()}")
        return json.loads(told)

    def during(self, work: Callable[[], object], invocations: int) -> Invocations:
        """What is used while `work` is done, and until there were so many invocations.

        Raises TimeoutError if there are fewer, ValueError if there are more: then batches were not
        as full as they should be.
        """
        since = int(time.time() * 1000) + 1
        time.sleep(0.01)
        calls, entries = self._proxy.calls(), self._proxy.entries()
        worked = self._processor_seconds()
        work()
        log = eventually(lambda: self._complete(since, invocations))
        reports = [each for each in log if each.startswith("REPORT ")]
        if len(reports) != invocations:
            raise ValueError(f"{self._name}: {len(reports)} invocations, not {invocations}")
        return Invocations(
            durations_ms=tuple(float(_DURATION.findall(each)[0]) for each in reports),
            processor_seconds=self._processor_seconds() - worked,
            memory_mb=self._memory_mb,
            log=tuple(log),
            calls=self._proxy.calls() - calls,
            entries=self._proxy.entries() - entries,
        )

    def _complete(self, since: int, invocations: int) -> list[str] | None:
        log = list(self._logged(since))
        ended = sum(each.startswith("REPORT ") for each in log)
        return log if ended >= invocations else None

    def _logged(self, since: int) -> Iterator[str]:
        pages = self._logs.get_paginator("filter_log_events")
        for page in pages.paginate(logGroupName=self._log_group, startTime=since):
            yield from (each["message"].rstrip("\n") for each in page["events"])

    def _processor_seconds(self) -> float:
        assert self._emulator
        seconds = 0.0
        for process in self._emulator.children():
            with suppress(psutil.NoSuchProcess):
                if process.environ().get("AWS_LAMBDA_FUNCTION_NAME") == self._name:
                    times = process.cpu_times()
                    seconds += times.user + times.system
        return seconds


def deployed_functions(folder: LocalFolder, proxy: CountingProxy) -> dict[Service, Function]:
    """By service, led through the proxy; nothing invokes those that have a mapping.

    Of the two recorders that of the completed results.
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
                    function.run(False)
    return functions
