"""The deployed HTTP API, with signed requests and IAM enforced."""

import time
import uuid
from datetime import UTC, datetime, timedelta

import boto3
import httpx
import pytest

from inference_results.client.transports.auth import tls_context
from inference_results.contract import Problem, StackOutput
from inference_results.domain.record.timestamps import timestamp
from local.api_client import ApiClient
from local.environment import EXECUTION_ROLE
from tests.support.samples import body, failed
from tests.support.waiting import eventually


def follow_redirect(response):
    """Return the content at the location that a response redirects to."""
    assert response.status_code == 307
    with httpx.Client(verify=tls_context(None)) as http:
        return http.get(response.headers["location"]).content


@pytest.fixture
def ended(invoke, wait_for_record):
    """Invoke the simulated endpoint and return the record."""

    def ended(*args, **options):
        return wait_for_record(invoke(*args, **options)["InferenceId"])

    return ended


@pytest.mark.parametrize(
    "inference_id", ["page 18 #2", "s3://bucket/a b?c=d", "100% %2F +", "a,b&c=d;e"]
)
def test_any_id_can_be_queried(api, invoke, inference_id):
    inference_id = f"{inference_id} {uuid.uuid4().hex[:8]}"
    invoke(b"hello", InferenceId=inference_id)
    record = api.request("inference", query={"id": inference_id, "wait": "20"}).json()
    assert (record["inference_id"], record["status"]) == (inference_id, "Completed")
    assert follow_redirect(api.request("inference/output", query={"id": inference_id})) == b"hello"


def test_a_wait_ends_soon_after_the_inference(api, invoke):
    inference_id = invoke(custom_attributes="simulate-delay=4")["InferenceId"]
    started = time.monotonic()
    response = api.request("inference", query={"id": inference_id, "wait": "20"})
    assert response.json()["status"] == "Completed"
    assert 3 < time.monotonic() - started < 15


def test_a_wait_for_an_unknown_id_ends(api):
    started = time.monotonic()
    response = api.request("inference", query={"id": str(uuid.uuid4()), "wait": "1"})
    assert response.status_code == 404
    assert 1 <= time.monotonic() - started < 10


def test_an_unchanged_record_is_not_sent_twice(api, ended):
    path = f"inferences/{ended()['inference_id']}"
    etag = api.request(path).headers["etag"]
    assert api.request(path, headers={"if-none-match": etag}).status_code == 304
    assert api.request(path, headers={"if-none-match": '"other"'}).status_code == 200


def test_the_recorded_version_is_read_after_an_overwrite(api, ended):
    record = ended(b"first")
    output = record["output"]
    boto3.client("s3").put_object(Bucket=output["bucket"], Key=output["key"], Body=b"another")
    assert follow_redirect(api.request(f"inferences/{record['inference_id']}/output")) == b"first"


def test_a_removed_output_is_gone_but_its_record_remains(api, ended):
    record = ended(b"first")
    output = record["output"]
    boto3.client("s3").delete_object(
        Bucket=output["bucket"], Key=output["key"], VersionId=output["version_id"]
    )
    response = api.request(f"inferences/{record['inference_id']}/output")
    assert (response.status_code, response.json()["type"]) == (410, Problem.OUTPUT_REMOVED)
    assert api.request(f"inferences/{record['inference_id']}").json() == record


def test_batch_get_returns_records_of_all_statuses(api, invoke):
    ids = [
        invoke()["InferenceId"],
        invoke(custom_attributes="simulate-failure=500")["InferenceId"],
        "none",
    ]
    response = api.request(
        "/inferences:batchGet", "POST", json={"inference_ids": ids[:2], "wait": 20}
    ).json()
    statuses = {each["inference_id"]: each["status"] for each in response["inferences"]}
    assert statuses == {ids[0]: "Completed", ids[1]: "Failed"}
    response = api.request(
        "/inferences:batchGet", "POST", json={"inference_ids": ids, "endpoint": "speech"}
    )
    assert len(response.json()["inferences"]) == 2
    assert response.json()["missing"] == [{"inference_id": "none", "reason": "unknown"}]


def test_lists_return_all_records_page_by_page(api, outputs):
    endpoint = f"listed-{uuid.uuid4().hex[:8]}"
    start = datetime(2026, 1, 1, tzinfo=UTC)
    ids = [f"{endpoint} #{number}" for number in range(12)]
    for number, inference_id in enumerate(ids):
        event_time = timestamp(start + timedelta(seconds=number // 3))
        event = failed(inference_id, eventTime=event_time)
        event["requestParameters"]["endpointName"] = endpoint
        boto3.client("sns").publish(
            TopicArn=outputs[StackOutput.ERROR_TOPIC_ARN], Message=body(event)
        )

    def listed(**query):
        found, more = [], {}
        while more is not None:
            page = api.request("inferences", query={"endpoint": endpoint, **query, **more}).json()
            found += [each["inference_id"] for each in page["inferences"]]
            more = {"cursor": page["next_cursor"]} if "next_cursor" in page else None
        return found

    eventually(lambda: len(listed(limit="200")) == len(ids))
    newest_first = sorted(ids, key=lambda each: (ids.index(each) // 3, each), reverse=True)
    assert listed(limit="5") == newest_first
    assert listed(limit="5", status="Failed") == newest_first
    assert listed(status="Completed") == []
    assert listed(since="2026-01-01T00:00:03Z") == newest_first[:3]
    assert listed(until="2026-01-01T01:00:01+01:00") == newest_first[-3:]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "inferences/any"),
        ("GET", "inferences/any/output"),
        ("GET", "inference?id=any"),
        ("GET", "inference/output?id=any"),
        ("GET", "inferences?endpoint=any"),
        ("POST", "/inferences:batchGet"),
        ("GET", "endpoints/any/summary"),
        ("GET", "openapi.json"),
    ],
)
def test_no_route_accepts_a_role_without_permission(outputs, method, path):
    not_allowed = ApiClient(outputs[StackOutput.API_URL], EXECUTION_ROLE)
    assert not_allowed.request(path, method).status_code == 403
    not_allowed.close()
