"""Asks for the results of the SageMaker SDK's AsyncPredictor in its way and in ours.

    python ask.py v2|v3 API_URL s3://bucket/prefix/of/inputs/

Runs in an environment of its own for each version. The last line that it prints is a JSON object:
`{"output": {"theirs": {"result": [[1, 2], [3, 4]]}, "ours": ...}, "failure": ..., "expiry": ...}`;
instead of `result` stands `error`, the names of the error's classes, or `waits`, the seconds.
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
"""The wishes, and for how many seconds the result is waited for."""

PATIENCE_SECONDS = 15
"""After which the SDK's waiting is taken for endless; three times as long as for an expiry."""


def main(version, api_url, input_prefix):
    sdk = importlib.import_module(f"predictor_{version}")
    predictor = sdk.async_predictor("speech")
    client = Client(api_url)
    pool = ThreadPoolExecutor(max_workers=20)

    def ask(wishes, seconds):
        inference_id = str(uuid.uuid4())
        response = predictor.predict_async(
            [[1, 2], [3, 4]],
            input_path=input_prefix + inference_id,
            initial_args={"CustomAttributes": wishes} if wishes else None,
            inference_id=inference_id,
        )
        ours = client.from_predictor_response(response, inference_id=inference_id)
        ours_without_id = client.from_predictor_response(response)
        waiter = sdk.WaiterConfig(max_attempts=seconds, delay=1)
        return {
            "ours": pool.submit(ours.get_result, 60),
            "ours without id": pool.submit(ours_without_id.get_result, seconds),
            "theirs at once": pool.submit(response.get_result),
            "theirs": pool.submit(response.get_result, waiter),
        }

    asked = {name: ask(*wanted) for name, wanted in INVOCATIONS.items()}
    seen = {
        name: {way: outcome(way, each) for way, each in ways.items()}
        for name, ways in asked.items()
    }
    print(json.dumps(seen), flush=True)
    # Not sys.exit: it would wait for the threads that wait for ever.
    os._exit(0)


def outcome(way, asked: Future):
    try:
        error = asked.exception(PATIENCE_SECONDS if way == "theirs" else None)
    except TimeoutError:
        return {"waits": PATIENCE_SECONDS}
    if error:
        print(repr(error), file=sys.stderr)
        return {"error": [each.__name__ for each in type(error).__mro__]}
    return {"result": asked.result().tolist()}


if __name__ == "__main__":
    main(*sys.argv[1:])
