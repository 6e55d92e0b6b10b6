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
from concurrent.futures import Future, ThreadPoolExecutor, wait

from inference_results.client import Client

INVOCATIONS = {"output": "", "failure": "pretend-failure=400", "expiry": "pretend-expiry"}
ATTEMPTS = 5
PATIENCE_SECONDS = 15
"""Three times as long as the SDK is told to wait."""


def main(version, api_url, input_prefix):
    sdk = importlib.import_module(f"predictor_{version}")
    predictor = sdk.async_predictor("speech")
    client = Client(api_url)
    pool = ThreadPoolExecutor(max_workers=20)

    def ask(wishes):
        inference_id = str(uuid.uuid4())
        response = predictor.predict_async(
            [[1, 2], [3, 4]],
            input_path=input_prefix + inference_id,
            initial_args={"CustomAttributes": wishes} if wishes else None,
            inference_id=inference_id,
        )
        ours = client.from_predictor_response(response, inference_id=inference_id)
        ours_without_id = client.from_predictor_response(response)
        waiter = sdk.WaiterConfig(max_attempts=ATTEMPTS, delay=1)
        return {
            "theirs": pool.submit(response.get_result, waiter),
            "theirs at once": pool.submit(response.get_result),
            "ours": pool.submit(ours.get_result, 60),
            "ours without id": pool.submit(ours_without_id.get_result, ATTEMPTS),
        }

    asked = {name: ask(wishes) for name, wishes in INVOCATIONS.items()}
    wait([each for ways in asked.values() for each in ways.values()], timeout=PATIENCE_SECONDS)
    seen = {
        name: {way: outcome(each) for way, each in ways.items()} for name, ways in asked.items()
    }
    print(json.dumps(seen), flush=True)
    # Not sys.exit: it would wait for the threads that wait for ever.
    os._exit(0)


def outcome(asked: Future):
    if not asked.done():
        return {"waits": PATIENCE_SECONDS}
    if error := asked.exception():
        print(repr(error), file=sys.stderr)
        return {"error": [each.__name__ for each in type(error).__mro__]}
    return {"result": asked.result().tolist()}


if __name__ == "__main__":
    main(*sys.argv[1:])
