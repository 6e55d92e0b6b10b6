"""A queue, the mapping that reads it, and the function behind: simulated in steps of 50 ms.

What is simplified: pollers never go down again; those that have nothing to do share what waits; a
batch is not cut by bytes; every function is warm.
"""

import math
import random
from collections import Counter, defaultdict, deque
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from benchmarks.reviewed_template import visibility_seconds
from benchmarks.scale.aws import FIRST_POLLERS, POLLERS_A_MINUTE, SQS_IN_FLIGHT
from benchmarks.scale.calls import recording
from infra.settings import Settings

STEP_SECONDS: Final = 0.05
_REFUSAL_SECONDS: Final = 0.2
"""Of a call while S3 and DynamoDB answer with 503 at once: botocore asks once more."""
_GROUPS: Final = 8
"""Batches that begin in the same step have so many different durations at most."""


@dataclass(frozen=True)
class Hour:
    """What happens: Poisson arrivals, a burst, and a stop of S3 and DynamoDB."""

    rate: float
    """Results a second."""
    seconds: int = 3600
    burst_at: int = 600
    burst_seconds: int = 60
    burst_times: float = 3
    stop_at: int = 1800
    stop_seconds: int = 60


@dataclass(frozen=True)
class Seen:
    """Of an hour of one queue. Times in seconds; `calm` is without burst, stop and what follows."""

    invocations: int
    messages: int
    calm_concurrency: float
    """The mean; so are the next two."""
    calm_batch: float
    calm_seconds_of_a_call: float
    peak_concurrency: int
    calm_in_flight: int
    """The most at a time."""
    peak_in_flight: int
    calm_oldest: float
    burst_oldest: float
    stop_oldest: float
    recovered_after: float | None
    """From the end of the stop until no message is older than in calm times; None: not at all."""
    left: int
    """Messages that wait at the end of the hour."""


@lru_cache
def simulate(hour: Hour, settings: Settings, seed: int = 1) -> Seen:
    """An hour with the settings batch_size, batch_window_seconds, maximum_concurrency, workers."""
    return _Queue(hour, settings, seed).run()


class _Queue:
    def __init__(self, hour: Hour, settings: Settings, seed: int) -> None:
        self._hour = hour
        self._settings = settings
        self._chance = random.Random(seed)  # noqa: S311 - to be repeated
        self._waiting: deque[list[int]] = deque()
        self._count = 0
        self._pollers = float(min(FIRST_POLLERS, settings.maximum_concurrency))
        self._busy = 0
        self._in_flight = 0
        self._ends: dict[int, list[tuple[int, int]]] = defaultdict(list)
        """By step: batches, and messages in all of them that are deleted."""
        self._returns: dict[int, list[list[int]]] = defaultdict(list)
        self._gathering_since: int | None = None
        self._visibility = visibility_seconds() + settings.batch_window_seconds
        self._invocations = 0
        self._messages = 0
        self._most: Counter[str] = Counter()
        self._calm = Counter[str]()
        self._recovered: int | None = None

    def run(self) -> Seen:
        steps = round(self._hour.seconds / STEP_SECONDS)
        for step in range(steps):
            self._arrive(step)
            self._end(step)
            self._begin(step)
            self._grow()
            self._look(step)
        calm = max(1, self._calm["steps"])
        calls = max(1, self._calm["invocations"])
        recovered = self._recovered
        return Seen(
            invocations=self._invocations,
            messages=self._messages,
            calm_concurrency=self._calm["busy"] / calm,
            calm_batch=self._calm["messages"] / calls,
            calm_seconds_of_a_call=self._calm["call steps"] * STEP_SECONDS / calls,
            peak_concurrency=self._most["busy"],
            calm_in_flight=self._most["calm in flight"],
            peak_in_flight=self._most["in flight"],
            calm_oldest=self._most["calm oldest"] * STEP_SECONDS,
            burst_oldest=self._most["burst oldest"] * STEP_SECONDS,
            stop_oldest=self._most["stop oldest"] * STEP_SECONDS,
            recovered_after=None
            if recovered is None
            else recovered * STEP_SECONDS - self._hour.stop_at - self._hour.stop_seconds,
            left=self._count,
        )

    def _arrive(self, step: int) -> None:
        at = step * STEP_SECONDS
        hour = self._hour
        burst = hour.burst_at <= at < hour.burst_at + hour.burst_seconds
        mean = hour.rate * STEP_SECONDS * (hour.burst_times if burst else 1)
        if new := _poisson(self._chance, mean):
            self._waiting.append([step, new])
            self._count += new
        for returned in self._returns.pop(step, ()):
            self._waiting.appendleft(returned)
            self._count += returned[1]
            self._in_flight -= returned[1]

    def _end(self, step: int) -> None:
        for batches, deleted in self._ends.pop(step, ()):
            self._busy -= batches
            self._in_flight -= deleted

    def _begin(self, step: int) -> None:
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
        """The messages that came first."""
        self._count -= number
        taken = []
        while number:
            came, count = self._waiting[0]
            self._note_age(step, step - came)
            some = min(count, number)
            number -= some
            taken.append([came, some])
            if some == count:
                self._waiting.popleft()
            else:
                self._waiting[0][1] -= some
        return taken

    def _invoke(self, step: int, batches: int, messages: list[list[int]]) -> None:
        number = sum(count for _, count in messages)
        hour, at = self._hour, step * STEP_SECONDS
        stopped = hour.stop_at <= at < hour.stop_at + hour.stop_seconds
        self._busy += batches
        self._in_flight += number
        self._invocations += batches
        if stopped:
            self._returns[step + round(self._visibility / STEP_SECONDS)] += messages
            self._ends[step + round(_REFUSAL_SECONDS / STEP_SECONDS)].append((batches, 0))
            return
        self._messages += number
        calls = recording(math.ceil(number / batches), self._settings.workers)
        groups = min(_GROUPS, batches)
        for group in range(groups):
            some = (batches + group) // groups
            deleted = number * (group + 1) // groups - number * group // groups
            steps = self._steps(self._chance.choice(calls.samples))
            self._ends[step + steps].append((some, deleted))
            if self._is_calm(at):
                self._calm.update({"call steps": some * steps, "invocations": some})
                self._calm["messages"] += deleted

    def _steps(self, seconds: float) -> int:
        """Rounded up or down by chance, so that the mean is right."""
        return max(1, int(seconds / STEP_SECONDS + self._chance.random()))

    def _grow(self) -> None:
        if self._count:
            grown = self._pollers + POLLERS_A_MINUTE / 60 * STEP_SECONDS
            self._pollers = min(grown, float(self._settings.maximum_concurrency))

    def _is_calm(self, at: float) -> bool:
        return self._hour.burst_at / 2 <= at < self._hour.burst_at

    def _look(self, step: int) -> None:
        """At the end of a step."""
        hour, at = self._hour, step * STEP_SECONDS
        age = step - min(self._waiting[0][0], self._waiting[-1][0]) if self._waiting else 0
        self._note("busy", self._busy)
        self._note("in flight", self._in_flight)
        self._note_age(step, age)
        if self._is_calm(at):
            self._calm.update({"steps": 1, "busy": self._busy})
            self._note("calm in flight", self._in_flight)
        if at >= hour.stop_at + hour.stop_seconds:
            if self._returns or age > self._most["calm oldest"] + 1 / STEP_SECONDS:
                self._recovered = None
            elif self._recovered is None:
                self._recovered = step

    def _note_age(self, step: int, age: int) -> None:
        at = step * STEP_SECONDS
        if self._is_calm(at):
            self._note("calm oldest", age)
        elif self._hour.burst_at <= at < self._hour.stop_at:
            self._note("burst oldest", age)
        elif at >= self._hour.stop_at:
            self._note("stop oldest", age)

    def _note(self, name: str, value: int) -> None:
        self._most[name] = max(self._most[name], value)


def _poisson(chance: random.Random, mean: float) -> int:
    """Above 50 as the normal distribution, which is near enough."""
    if mean > 50:
        return max(0, round(chance.gauss(mean, math.sqrt(mean))))
    limit, number, product = math.exp(-mean), 0, chance.random()
    while product > limit:
        number += 1
        product *= chance.random()
    return number
