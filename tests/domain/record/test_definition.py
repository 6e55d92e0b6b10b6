"""Everything that lists a record's attributes agrees with the one definition."""

import json
from dataclasses import fields
from datetime import datetime
from typing import get_args, get_type_hints

from inference_results.adapters.table.index_keys import INDEX_KEYS
from inference_results.adapters.table.record_attributes import RESULT_ATTRIBUTES
from inference_results.client import Inference
from inference_results.contract import LISTED_ATTRIBUTES, Attribute
from inference_results.domain.record.definition import (
    ATTRIBUTE_TYPES,
    TIMESTAMPS,
    Owner,
    Record,
    Timestamp,
    owned_by,
)
from inference_results.domain.record.result import Result
from tests.support.synthesis import ROOT

NAMES = [each.name for each in fields(Record)]
PRIVATE = {Attribute.EVENT_ORDER, Attribute.TASK_TOKENS, Attribute.REQUEST_DIGEST}


def test_every_attribute_of_the_table_is_public_private_or_an_index_key():
    assert {*Attribute} == {*NAMES, *PRIVATE, *INDEX_KEYS}


def test_a_result_writes_what_results_own():
    keys = {Attribute.INFERENCE_ID, Attribute.ENDPOINT_NAME}
    written = {each.name for each in fields(Result)} - keys
    assert written == {*owned_by(Owner.RESULT), Attribute.EVENT_ORDER}
    assert {*RESULT_ATTRIBUTES} == {*written, *INDEX_KEYS}


def test_lists_return_public_attributes():
    assert {*LISTED_ATTRIBUTES} <= {*NAMES}


def test_every_attribute_has_a_description():
    assert all(each.metadata["description"].endswith((".", "`")) for each in fields(Record))


def test_the_clients_model_has_the_same_attributes_and_types():
    hints = get_type_hints(Inference)
    assert {*hints} - {"raw"} == {*NAMES}
    for name, kind in ATTRIBUTE_TYPES.items():
        found = get_args(hints[name]) or (hints[name],)
        assert (datetime in found) == (kind is Timestamp), name
        if isinstance(kind, type) and kind.__module__.endswith(("definition", "result")):
            assert kind in found, name


def test_the_published_schemas_have_the_same_attributes():
    openapi = json.loads((ROOT / "functions/http_api/openapi.json").read_text())
    event = json.loads((ROOT / "docs/events/inference.schema.json").read_text())
    properties = openapi["components"]["schemas"]["Inference"]["properties"]
    assert [*properties] == NAMES
    assert {*NAMES} <= {*event["$defs"]["Detail"]["properties"]}
    times = {name for name, schema in properties.items() if schema.get("format") == "date-time"}
    assert times == {*TIMESTAMPS}


def test_the_table_in_the_docs_has_the_same_attributes():
    page = (ROOT / "docs/record.md").read_text()
    table, _, _ = page.partition("<!-- end of attributes -->")
    rows = [line.split("`")[1] for line in table.splitlines() if line.startswith("| `")]
    assert rows == NAMES


def test_the_indexes_project_what_lists_return(template):
    keys = {Attribute.INFERENCE_ID, Attribute.ENDPOINT_NAME}
    (table,) = [
        each["Properties"]
        for name, each in template["Resources"].items()
        if each["Type"] == "AWS::DynamoDB::GlobalTable" and "Inferences" in name
    ]
    for index in table["GlobalSecondaryIndexes"]:
        projected = index["Projection"].get("NonKeyAttributes")
        if index["IndexName"] == "by-endpoint-and-status":
            assert {*projected} == {*LISTED_ATTRIBUTES} - keys
        elif index["IndexName"] == "by-endpoint":
            assert {*projected} == {*LISTED_ATTRIBUTES} - keys - {Attribute.FAILURE}
