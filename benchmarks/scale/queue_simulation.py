"""Simulate a queue, its event source mapping and its function, in steps of 50 ms.

Simplifications: the number of pollers never shrinks; idle pollers share the backlog; batches are
not limited by bytes; functions are warm.
"""

import math
import random
from collections import Counter, defaultdict, deque
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from benchmarks.reviewed_template import visibility_seconds
from benchmarks.scale.durations import record_result_durations
from benchmarks.scale.limits import FIRST_POLLERS, POLLERS_PER_MINUTE, SQS_IN_FLIGHT
from infra.settings import Settings

STEP_SECONDS: Final = 0.05
_FAILED_INVOCATION_SECONDS: Final = 0.2
"""Duration of an invocation while S3 and DynamoDB return 503: botocore retries once."""
_GROUPS: Final = 8
"""Maximum number of different durations of the batches that start in one step."""


@dataclass(frozen=True)
class Scenario:
    """Poisson arrivals with a burst, and an outage of S3 and DynamoDB. Times are in seconds."""

    rate: float
    """Results per second."""
    seconds: int = 3600
    burst_at: int = 600
    burst_seconds: int = 60
    burst_factor: float = 3
    outage_at: int = 1800
    outage_seconds: int = 60


@dataclass(frozen=True)
class QueueReport:
    """Measurements of one queue. `normal` excludes the burst, the outage and the recovery."""

    invocations: int
    messages: int
    normal_concurrency: float
    """A mean, like the next two."""
    normal_batch_size: float
    normal_duration_seconds: float
    peak_concurrency: int
    normal_peak_in_flight: int
    peak_in_flight: int
    normal_oldest_seconds: float
    burst_oldest_seconds: float
    outage_oldest_seconds: float
    recovery_seconds: float | None
    """Time after the outage until no message is older than normal. None if that never happens."""
    backlog: int
    """Messages left at the end."""


@lru_cache
def simulate(scenario: Scenario, settings: Settings, seed: int = 1) -> QueueReport:
    """Simulate a scenario with the settings of the mapping, and `workers`."""
    return _Simulation(scenario, settings, seed).run()


class _Simulation:
    def __init__(self, scenario: Scenario, settings: Settings, seed: int) -> None:
        self._scenario = scenario
        self._settings = settings
        self._rng = random.Random(seed)  # noqa: S311 - reproducible
        self._waiting: deque[list[int]] = deque()
        """Messages in the queue: step of arrival, and count."""
        self._count = 0
        self._pollers = float(min(FIRST_POLLERS, settings.maximum_concurrency))
        self._busy = 0
        self._in_flight = 0
        self._ends: dict[int, list[tuple[int, int]]] = defaultdict(list)
        """By step: number of batches that end, and messages that they delete."""
        self._returns: dict[int, list[list[int]]] = defaultdict(list)
        """By step: failed messages that become visible."""
        self._gathering_since: int | None = None
        self._visibility = visibility_seconds() + settings.batch_window_seconds
        self._invocations = 0
        self._messages = 0
        self._maxima: Counter[str] = Counter()
        self._normal = Counter[str]()
        """Sums over the normal period."""
        self._recovered: int | None = None

    def run(self) -> QueueReport:
        steps = round(self._scenario.seconds / STEP_SECONDS)
        for step in range(steps):
            self._receive(step)
            self._end_batches(step)
            self._start_batches(step)
            self._add_pollers()
            self._observe(step)
        normal_steps = max(1, self._normal["steps"])
        invocations = max(1, self._normal["invocations"])
        scenario, recovered = self._scenario, self._recovered
        return QueueReport(
            invocations=self._invocations,
            messages=self._messages,
            normal_concurrency=self._normal["busy"] / normal_steps,
            normal_batch_size=self._normal["messages"] / invocations,
            normal_duration_seconds=self._normal["busy steps"] * STEP_SECONDS / invocations,
            peak_concurrency=self._maxima["busy"],
            normal_peak_in_flight=self._maxima["normal in flight"],
            peak_in_flight=self._maxima["in flight"],
            normal_oldest_seconds=self._maxima["normal oldest"] * STEP_SECONDS,
            burst_oldest_seconds=self._maxima["burst oldest"] * STEP_SECONDS,
            outage_oldest_seconds=self._maxima["outage oldest"] * STEP_SECONDS,
            recovery_seconds=None
            if recovered is None
            else recovered * STEP_SECONDS - scenario.outage_at - scenario.outage_seconds,
            backlog=self._count,
        )

    def _receive(self, step: int) -> None:
        at = step * STEP_SECONDS
        scenario = self._scenario
        burst = scenario.burst_at <= at < scenario.burst_at + scenario.burst_seconds
        mean = scenario.rate * STEP_SECONDS * (scenario.burst_factor if burst else 1)
        if new := _poisson(self._rng, mean):
            self._waiting.append([step, new])
            self._count += new
        for returned in self._returns.pop(step, ()):
            self._waiting.appendleft(returned)
            self._count += returned[1]
            self._in_flight -= returned[1]

    def _end_batches(self, step: int) -> None:
        for batches, deleted in self._ends.pop(step, ()):
            self._busy -= batches
            self._in_flight -= deleted

    def _start_batches(self, step: int) -> None:
        size = self._settings.batch_size
        room = int(SQS_IN_FLIGHT.value) - self._in_flight
        free = int(self._pollers) - self._busy
        if not self._count or free <= 0 or room <= 0:
            return
        if self._gathering_since is None:
            self._gathering_since = step
        full = self._count // size
        gathered = (step - self._gathering_since) * STEP_SECONDS
        if full < FIRST_POLLERS and gathered < self._settings.batch_window_seconds:
            return
        shared = min(FIRST_POLLERS, self._count)
        batches = min(free, max(math.ceil(self._count / size), shared))
        taken = min(self._count, batches * size, room)
        batches = min(batches, taken)
        self._gathering_since = None
        self._invoke(step, batches, self._take(step, taken))

    def _take(self, step: int, number: int) -> list[list[int]]:
        """Take the messages that arrived first."""
        self._count -= number
        taken = []
        while number:
            arrived, count = self._waiting[0]
            self._observe_age(step, step - arrived)
            some = min(count, number)
            number -= some
            taken.append([arrived, some])
            if some == count:
                self._waiting.popleft()
            else:
                self._waiting[0][1] -= some
        return taken

    def _invoke(self, step: int, batches: int, messages: list[list[int]]) -> None:
        number = sum(count for _, count in messages)
        scenario, at = self._scenario, step * STEP_SECONDS
        outage = scenario.outage_at <= at < scenario.outage_at + scenario.outage_seconds
        self._busy += batches
        self._in_flight += number
        self._invocations += batches
        if outage:
            self._returns[step + round(self._visibility / STEP_SECONDS)] += messages
            failed_at = step + round(_FAILED_INVOCATION_SECONDS / STEP_SECONDS)
            self._ends[failed_at].append((batches, 0))
            return
        self._messages += number
        durations = record_result_durations(math.ceil(number / batches), self._settings.workers)
        groups = min(_GROUPS, batches)
        for group in range(groups):
            some = (batches + group) // groups
            deleted = number * (group + 1) // groups - number * group // groups
            steps = self._steps(self._rng.choice(durations.samples))
            self._ends[step + steps].append((some, deleted))
            if self._is_normal(at):
                self._normal.update({"busy steps": some * steps, "invocations": some})
                self._normal["messages"] += deleted

    def _steps(self, seconds: float) -> int:
        """Round up or down at random, which keeps the mean."""
        return max(1, int(seconds / STEP_SECONDS + self._rng.random()))

    def _add_pollers(self) -> None:
        if self._count:
            pollers = self._pollers + POLLERS_PER_MINUTE / 60 * STEP_SECONDS
            self._pollers = min(pollers, float(self._settings.maximum_concurrency))

    def _is_normal(self, at: float) -> bool:
        return self._scenario.burst_at / 2 <= at < self._scenario.burst_at

    def _observe(self, step: int) -> None:
        """Update the report's values at the end of a step."""
        scenario, at = self._scenario, step * STEP_SECONDS
        age = step - min(self._waiting[0][0], self._waiting[-1][0]) if self._waiting else 0
        self._observe_maximum("busy", self._busy)
        self._observe_maximum("in flight", self._in_flight)
        self._observe_age(step, age)
        if self._is_normal(at):
            self._normal.update({"steps": 1, "busy": self._busy})
            self._observe_maximum("normal in flight", self._in_flight)
        if at >= scenario.outage_at + scenario.outage_seconds:
            if self._returns or age > self._maxima["normal oldest"] + 1 / STEP_SECONDS:
                self._recovered = None
            elif self._recovered is None:
                self._recovered = step

    def _observe_age(self, step: int, age: int) -> None:
        at = step * STEP_SECONDS
        if self._is_normal(at):
            self._observe_maximum("normal oldest", age)
        elif self._scenario.burst_at <= at < self._scenario.outage_at:
            self._observe_maximum("burst oldest", age)
        elif at >= self._scenario.outage_at:
            self._observe_maximum("outage oldest", age)

    def _observe_maximum(self, name: str, value: int) -> None:
        self._maxima[name] = max(self._maxima[name], value)


def _poisson(rng: random.Random, mean: float) -> int:
    """Sample a Poisson distribution. Above 50, approximate it by a normal distribution."""
    if mean > 50:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    limit, number, product = math.exp(-mean), 0, rng.random()
    while product > limit:
        number += 1
        product *= rng.random()
    return number
