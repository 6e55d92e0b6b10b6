"""Waits with the SageMaker SDK (version 2) as it comes. Runs in the SDK's own environment.

Prints `ready`, reads from stdin a JSON list of `[output location, failure location]`, and waits for
all of them side by side, each with the SDK's default WaiterConfig. When the next line comes it
prints a JSON list of `[calls, ended at (epoch seconds) or null, outcome]`, and ends.
"""

import json
import os
import sys
import threading
import time
from typing import Any

import boto3
from sagemaker.async_inference import AsyncInferenceResponse, WaiterConfig  # type: ignore[import-not-found]
from sagemaker.exceptions import AsyncInferenceError  # type: ignore[import-not-found]
from sagemaker.predictor import Predictor  # type: ignore[import-not-found]
from sagemaker.predictor_async import AsyncPredictor  # type: ignore[import-not-found]
from sagemaker.session import Session  # type: ignore[import-not-found]


def main() -> None:
    urls: list[str] = []
    session = boto3.Session()
    session.events.register("before-send.s3", lambda request, **_: urls.append(request.url))
    predictor = AsyncPredictor(Predictor("speech", Session(boto_session=session)))
    print("ready", flush=True)
    places = json.loads(sys.stdin.readline())
    ends: list[tuple[float | None, str]] = [(None, "waits")] * len(places)

    def wait(at: int, output: str, failure: str) -> None:
        response: Any = AsyncInferenceResponse(predictor, output, failure)
        try:
            response.get_result(WaiterConfig())
            outcome = "output"
        except AsyncInferenceError as error:
            outcome = type(error).__name__
        ends[at] = (time.time(), outcome)

    for at, (output, failure) in enumerate(places):
        threading.Thread(target=wait, args=(at, output, failure), daemon=True).start()
    sys.stdin.readline()
    calls = [sum(_asks_for(url, *each) for url in urls) for each in places]
    print(json.dumps([(made, *end) for made, end in zip(calls, ends, strict=True)]), flush=True)
    os._exit(0)  # without the threads that still wait


def _asks_for(url: str, output: str, failure: str) -> bool:
    return any(location.rpartition("/")[2] in url for location in (output, failure))


if __name__ == "__main__":
    main()
