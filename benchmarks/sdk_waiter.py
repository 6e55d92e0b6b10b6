"""Wait with the unmodified SageMaker SDK (version 2). Runs in the SDK's virtual environment.

Prints `ready`, then reads a JSON list of `[output location, failure location]` from stdin and waits
for all of them concurrently, each with the SDK's default WaiterConfig. On the next line of stdin it
prints a JSON list of `[calls, ended at (epoch seconds) or null, outcome]` and exits.
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
    locations = json.loads(sys.stdin.readline())
    ends: list[tuple[float | None, str]] = [(None, "still waiting")] * len(locations)

    def wait(at: int, output: str, failure: str) -> None:
        response: Any = AsyncInferenceResponse(predictor, output, failure)
        try:
            response.get_result(WaiterConfig())
            outcome = "output"
        except AsyncInferenceError as error:
            outcome = type(error).__name__
        ends[at] = (time.time(), outcome)

    for at, (output, failure) in enumerate(locations):
        threading.Thread(target=wait, args=(at, output, failure), daemon=True).start()
    sys.stdin.readline()
    calls = [sum(_requests(url, *each) for url in urls) for each in locations]
    print(json.dumps([(made, *end) for made, end in zip(calls, ends, strict=True)]), flush=True)
    os._exit(0)  # some threads may still be waiting


def _requests(url: str, output: str, failure: str) -> bool:
    """Return True if the URL is that of one of the locations."""
    return any(location.rpartition("/")[2] in url for location in (output, failure))


if __name__ == "__main__":
    main()
