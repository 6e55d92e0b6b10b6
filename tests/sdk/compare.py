"""Get results of an AsyncPredictor with the SageMaker SDK's own methods and with the client.

    python compare.py v2|v3 API_URL s3://bucket/prefix/of/inputs/

Each version of the SDK needs its own environment. The last line of the output is a JSON object:
`{"output": {"theirs": {"result": [[1, 2], [3, 4]]}, "ours": ...}, "failure": ..., "expiry": ...}`.
Instead of `result` it can have `error`, the names of the error's classes, or `waits`, the seconds
after which the SDK was still waiting.
"""

import importlib
import json
import os
import sys
import uuid
from concurrent.futures import Future, ThreadPoolExecutor

from inference_results.client import Client

INVOCATIONS = {
    "output": ("", 60),
    "failure": ("simulate-failure=400", 60),
    "expiry": ("simulate-expiry", 5),
}
"""The instructions for the simulated endpoint, and the timeout in seconds."""

MAX_WAIT_SECONDS = 15
"""Three times the timeout of the expiry. An SDK that waits longer is reported as `waits`."""


def main(version, api_url, input_prefix):
    sdk = importlib.import_module(f"predictor_{version}")
    predictor = sdk.async_predictor("speech")
    client = Client(api_url)
    pool = ThreadPoolExecutor(max_workers=20)

    def start(instructions, timeout):
        inference_id = str(uuid.uuid4())
        response = predictor.predict_async(
            [[1, 2], [3, 4]],
            input_path=input_prefix + inference_id,
            initial_args={"CustomAttributes": instructions} if instructions else None,
            inference_id=inference_id,
        )
        ours = client.from_predictor_response(response, inference_id=inference_id)
        ours_without_id = client.from_predictor_response(response)
        waiter = sdk.WaiterConfig(max_attempts=timeout, delay=1)
        return {
            "ours": pool.submit(ours.get_result, 60),
            "ours without id": pool.submit(ours_without_id.get_result, timeout),
            "theirs at once": pool.submit(response.get_result),
            "theirs": pool.submit(response.get_result, waiter),
        }

    started = {name: start(*invocation) for name, invocation in INVOCATIONS.items()}
    outcomes = {
        name: {way: outcome(way, future) for way, future in ways.items()}
        for name, ways in started.items()
    }
    print(json.dumps(outcomes), flush=True)
    # Not sys.exit, which would join the threads that wait forever.
    os._exit(0)


def outcome(way, future: Future):
    try:
        error = future.exception(MAX_WAIT_SECONDS if way == "theirs" else None)
    except TimeoutError:
        return {"waits": MAX_WAIT_SECONDS}
    if error:
        print(repr(error), file=sys.stderr)
        return {"error": [each.__name__ for each in type(error).__mro__]}
    return {"result": future.result().tolist()}


if __name__ == "__main__":
    main(*sys.argv[1:])
