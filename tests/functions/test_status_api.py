import base64
import json
from unittest.mock import patch
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import boto3
import pytest
from openapi_schema_validator import OAS31Validator

from inference_results.adapters.table.queries import InferenceQueries
from inference_results.contract import INLINE_OUTPUT_HEADER, Problem
from inference_results.domain.record.errors import Unavailable
from schemas.openapi import document
from tests.support.handlers import BUCKET

PROBLEM = "application/problem+json"
NEVER = 4_000_000_000


@pytest.fixture
def handler(load_handler, s3):
    return load_handler("status_api")


@pytest.fixture
def put(table_name):
    def put(inference_id, endpoint_name="here", status="Completed", **attributes):
        item = {
            "inference_id": {"S": inference_id},
            "endpoint_name": {"S": endpoint_name},
            "status": {"S": status},
            "event_order": {"S": "internal"},
            **attributes,
        }
        boto3.client("dynamodb").put_item(TableName=table_name, Item=item)

    return put


@pytest.fixture
def put_indexed(put):
    """Return a function that puts a record with its index keys, in shard 0."""

    def put_indexed(inference_id, time, endpoint_name="here", status="Completed"):
        endpoint_sort = f"{time}#{inference_id}"
        status_keys = {
            "status_shard": {"S": f"0#{status}"},
            "status_sort": {"S": f"{endpoint_sort}#{endpoint_name}"},
        }
        put(
            inference_id,
            endpoint_name,
            status,
            event_time={"S": time},
            endpoint_shard={"S": f"0#{endpoint_name}"},
            endpoint_sort={"S": endpoint_sort},
            **({} if status == "Completed" else status_keys),
        )

    return put_indexed


def api_event(route, path=None, query="", body=None, headers=None, **parameters):
    """Return an API Gateway event (payload 2.0). Its path is decoded, its query string is not."""
    method, pattern = route.split(" ")
    path = path or pattern.format(**parameters)
    return {
        "version": "2.0",
        "routeKey": route,
        "rawPath": path,
        "rawQueryString": query if isinstance(query, str) else urlencode(query, quote_via=quote),
        "headers": headers or {},
        "pathParameters": parameters,
        "requestContext": {
            "http": {"method": method, "path": path},
            "stage": "$default",
            "requestId": "request-1",
        },
        "body": body,
        "isBase64Encoded": False,
    }


def by_path(inference_id, query="", **more):
    return api_event(
        "GET /inferences/{inference_id}", query=query, inference_id=inference_id, **more
    )


def by_query(query, **more):
    return api_event("GET /inference", query=query, **more)


def batch(body):
    return api_event("POST /inferences:batchGet", body=body)


def base64_batch(content):
    return batch(base64.b64encode(content).decode()) | {"isBase64Encoded": True}


def listing(query):
    return api_event("GET /inferences", query=query)


def summary(endpoint_name, query=""):
    route = "GET /endpoints/{endpoint_name}/summary"
    return api_event(route, query=query, endpoint_name=endpoint_name)


def parse_response(response):
    """Return status, media type and parsed body. Problems are validated with their schema."""
    content = json.loads(response["body"])
    if response["headers"]["Content-Type"] == PROBLEM:
        validate("Problem", content)
    return response["statusCode"], response["headers"]["Content-Type"], content


def validate(name, content):
    """Validate with a schema of the OpenAPI document."""
    schemas = document()["components"]["schemas"]
    schema = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": schemas}}
    OAS31Validator(schema).validate(content)


def problem(response):
    status, content_type, content = parse_response(response)
    assert content_type == PROBLEM
    assert content["status"] == status
    return status, content


IDS = ["one", "page-18 (retry #2)", "ab" * 32, "~!@$^*|'\"+,;=:&<>[]{}", "s3://a/b?c%20d%25"]


@pytest.mark.parametrize("inference_id", IDS)
def test_a_record_with_any_valid_id_is_returned(handler, put, context, inference_id):
    put(inference_id)
    record = {"inference_id": inference_id, "endpoint_name": "here", "status": "Completed"}
    for event in (by_path(inference_id), by_query({"id": inference_id})):
        assert parse_response(handler(event, context)) == (200, "application/json", record)
    validate("Inference", record)


def test_a_custom_domain_can_add_a_path_prefix(handler, put, context):
    put("one")
    event = by_path("one") | {"rawPath": "/v1/inferences/one"}
    assert handler(event, context)["statusCode"] == 200


def test_an_unknown_id_is_not_found(handler, context):
    status, content = problem(handler(by_path("unknown"), context))
    assert status == 404
    assert content == {
        "type": Problem.UNKNOWN_INFERENCE,
        "title": "Not Found",
        "status": 404,
        "detail": "no record exists for this id: check the id, or wait for the inference to end",
    }


def test_a_record_past_its_retention_is_gone(handler, put, context):
    put("old", expires_at={"N": "1000000000"})
    status, content = problem(handler(by_path("old"), context))
    assert (status, content["type"]) == (410, Problem.RECORD_EXPIRED)
    assert content["expired_at"] == "2001-09-09T01:46:40.000Z"


def test_an_id_on_two_endpoints_is_a_conflict_that_lists_them(handler, put, context):
    put("one")
    put("one", "there")
    status, content = problem(handler(by_path("one"), context))
    assert (status, content["endpoints"]) == (409, ["here", "there"])
    status, _, record = parse_response(handler(by_path("one", {"endpoint": "there"}), context))
    assert (status, record["endpoint_name"]) == (200, "there")


@pytest.mark.parametrize("wait", ["0", "20", "0.5", "19.99"])
def test_a_wait_for_an_ended_inference_returns_at_once(handler, put, context, wait):
    put("one")
    assert handler(by_path("one", {"wait": wait}), context)["statusCode"] == 200


def test_a_wait_returns_an_inference_in_progress_when_its_time_is_over(handler, put, context):
    put("one", status="InProgress")
    status, _, record = parse_response(handler(by_path("one", {"wait": "0.3"}), context))
    assert (status, record["status"]) == (200, "InProgress")


INVALID = [
    (by_path("x" * 65), "inference_id"),
    (by_path("é"), "inference_id"),
    (by_path("tab\tbed"), "inference_id"),
    (by_path("one", "timeout=5"), "timeout"),
    (by_query(""), "id"),
    (listing(""), "endpoint"),
    (listing("status=Preempted"), "status"),
    (listing("endpoint=here&limit=0"), "limit"),
    (listing("endpoint=here&since=2026-01-25T12:00:00"), "since"),
    (listing("endpoint=here&since=2026-01-26T00:00Z&until=2026-01-25T00:00Z"), "since"),
    (listing("endpoint=here&cursor=forged"), "cursor"),
    (batch(None), "body"),
    (batch(json.dumps({"inference_ids": ["x"] * 101})), "inference_ids"),
    (batch('{"inference_ids": "one"}'), "inference_ids"),
    (batch('{"inference_ids": ["one", 7]}'), "inference_id"),
    (batch('{"inference_ids": ["one"], "wait": null}'), "wait"),
    (summary("here", "since=yesterday"), "since"),
    (summary("here", "since=2026-01-26&until=2026-01-25"), "since"),
]


def test_an_invalid_query_is_rejected_with_its_parameter(handler, context):
    for event, parameter in INVALID:
        status, content = problem(handler(event, context))
        assert (status, content["type"]) == (400, Problem.INVALID_PARAMETER)
        assert content["parameter"] == parameter
        assert content["detail"] == f"{parameter}: expected {content['expected']}"


def test_an_unchanged_record_is_a_304(handler, put, context):
    put("one")
    etag = handler(by_path("one"), context)["headers"]["ETag"]
    for known in (etag, f'"other", W/{etag}', "*"):
        response = handler(by_path("one", headers={"if-none-match": known}), context)
        assert (response["statusCode"], response["body"]) == (304, "")
        assert response["headers"]["ETag"] == etag
    put("one", output={"M": {"size": {"N": "1"}, "etag": {"S": "e"}}})
    one = handler(by_path("one"), context)["headers"]["ETag"]
    put("one", output={"M": {"etag": {"S": "e"}, "size": {"N": "1"}}})
    assert handler(by_path("one"), context)["headers"]["ETag"] == one
    changed = handler(by_path("one", headers={"if-none-match": etag}), context)
    assert changed["statusCode"] == 200
    assert changed["headers"]["ETag"] != etag


def test_a_batch_lists_the_missing_ids(handler, put, context):
    put("one")
    put("two", "there")
    put("old", expires_at={"N": "1000000000"})
    body = json.dumps({"inference_ids": ["one", "two", "old", "unknown"]})
    status, _, content = parse_response(handler(batch(body), context))
    validate("Batch", content)
    assert status == 200
    assert [each["inference_id"] for each in content["inferences"]] == ["one", "two"]
    assert content["missing"] == [
        {"inference_id": "old", "reason": "expired"},
        {"inference_id": "unknown", "reason": "unknown"},
    ]


def test_the_body_of_a_batch_can_be_base64(handler, put, context):
    put("one")
    event = base64_batch(b'{"inference_ids": ["one"]}')
    assert len(parse_response(handler(event, context))[2]["inferences"]) == 1


def test_a_batch_waits_until_its_time_is_over(handler, put, context):
    put("one", status="InProgress")
    body = '{"inference_ids": ["one"], "wait": 0.3, "endpoint": "here"}'
    _, _, content = parse_response(handler(batch(body), context))
    assert content["inferences"][0]["status"] == "InProgress"


def test_a_cursor_continues_a_list(handler, put_indexed, context):
    for number in range(5):
        put_indexed(f"id-{number}", f"2026-01-25T12:00:0{number}.000Z")
    ids, cursor = [], {}
    while cursor is not None:
        query = {"endpoint": "here", "limit": "2", **cursor}
        _, _, page = parse_response(handler(listing(query), context))
        validate("Page", page)
        ids += [each["inference_id"] for each in page["inferences"]]
        cursor = {"cursor": page["next_cursor"]} if "next_cursor" in page else None
    assert ids == ["id-4", "id-3", "id-2", "id-1", "id-0"]


def test_a_list_by_status_can_have_a_time_range(handler, put_indexed, context):
    put_indexed("early", "2026-01-25T10:00:00.000Z", status="Failed")
    put_indexed("late", "2026-01-25T12:00:00.000Z", "there", status="Failed")
    query = {"status": "failed", "since": "2026-01-25T13:00:00+02:00"}
    _, _, page = parse_response(handler(listing(query), context))
    assert [each["inference_id"] for each in page["inferences"]] == ["late"]


@pytest.fixture
def version_id(s3, put):
    """Put a record with an output in a versioned bucket. Returns the output's version."""
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket=BUCKET, Key="async/one #1.out", Body=b"first")
    output = {
        "location": {"S": f"s3://{BUCKET}/async/one #1.out"},
        "bucket": {"S": BUCKET},
        "key": {"S": "async/one #1.out"},
        "version_id": {"S": version["VersionId"]},
        "etag": {"S": version["ETag"]},
        "size": {"N": "5"},
    }
    put("one", output={"M": output})
    return version["VersionId"]


OUTPUT_EVENTS = {
    "path": api_event("GET /inferences/{inference_id}/output", inference_id="one"),
    "query": api_event("GET /inference/output", query="id=one"),
}


@pytest.mark.parametrize("event", OUTPUT_EVENTS.values(), ids=OUTPUT_EVENTS)
def test_the_output_is_a_link_to_the_recorded_version(handler, s3, version_id, context, event):
    s3.put_object(Bucket=BUCKET, Key="async/one #1.out", Body=b"another")
    response = handler(event, context)
    assert (response["statusCode"], response["body"]) == (307, "")
    link = urlsplit(response["headers"]["Location"])
    query = parse_qs(link.query)
    assert query["versionId"] == [version_id]
    assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    assert query["X-Amz-Expires"] == ["300"]
    assert link.path.endswith("/async/one%20%231.out")


def test_a_deleted_output_is_gone_and_its_record_remains(handler, s3, version_id, context):
    s3.delete_object(Bucket=BUCKET, Key="async/one #1.out", VersionId=version_id)
    status, content = problem(handler(OUTPUT_EVENTS["query"], context))
    assert (status, content["type"]) == (410, Problem.OUTPUT_REMOVED)
    assert handler(by_path("one"), context)["statusCode"] == 200


def test_an_output_that_is_only_inline_is_returned_itself(handler, put, context):
    output = {"inline": {"B": b"\xff\x00"}, "content_type": {"S": "audio/wav"}}
    put("one", output={"M": output})
    response = handler(OUTPUT_EVENTS["query"], context)
    assert response["statusCode"] == 200
    assert response["headers"]["Content-Type"] == "audio/wav"
    assert response["headers"][INLINE_OUTPUT_HEADER] == "inline"
    assert response["isBase64Encoded"] is True
    assert base64.b64decode(response["body"]) == b"\xff\x00"


@pytest.mark.parametrize("status", ["InProgress", "Failed", "Preempted"])
def test_an_inference_that_is_not_completed_has_no_output(handler, put, context, status):
    put("one", status=status)
    http_status, content = problem(handler(OUTPUT_EVENTS["query"], context))
    assert (http_status, content["type"]) == (409, Problem.NO_OUTPUT)
    assert content["inference_status"] == status


def test_an_unreadable_output_is_not_found_with_the_reason(handler, put, context):
    error = {"code": {"S": "LocationNotAllowed"}, "message": {"S": "outside the prefixes"}}
    put("one", output_error={"M": error})
    status, content = problem(handler(OUTPUT_EVENTS["query"], context))
    assert (status, content["type"]) == (404, Problem.OUTPUT_UNAVAILABLE)
    assert content["code"] == "LocationNotAllowed"


def test_a_throttled_table_is_a_503_with_retry_after(handler, context):
    with patch.object(InferenceQueries, "find", side_effect=Unavailable("dynamodb", "Throttled")):
        response = handler(by_path("one"), context)
    assert problem(response)[0] == 503
    assert response["headers"]["Retry-After"] == "1"


def test_an_endpoint_without_results_has_no_days(handler, context):
    status, _, content = parse_response(handler(summary("here"), context))
    validate("Summary", content)
    assert (status, content) == (200, {"endpoint_name": "here", "days": []})


def test_the_openapi_document_is_served(handler, context):
    status, content_type, served = parse_response(handler(api_event("GET /openapi.json"), context))
    assert (status, content_type) == (200, "application/json")
    assert served == document()


def test_an_unknown_route_is_not_found(handler, context):
    assert handler(api_event("GET /elsewhere"), context)["statusCode"] == 404
