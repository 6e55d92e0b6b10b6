"""New properties and problem types do not break a generated client."""

from schemas.event import event_schema
from schemas.openapi import document

REQUESTS = {"BatchGet", "RegisterRequest", "SubmitRequest"}


def closed(schema):
    """Whether a schema, or one inside it, rejects unknown properties."""
    match schema:
        case dict():
            return schema.get("additionalProperties") is False or any(map(closed, schema.values()))
        case list():
            return any(map(closed, schema))
    return False


def test_only_request_bodies_reject_unknown_properties():
    schemas = document()["components"]["schemas"]
    assert {name for name, schema in schemas.items() if closed(schema)} == REQUESTS
    assert not closed(event_schema())


def test_the_type_of_a_problem_is_no_closed_list():
    problem = document()["components"]["schemas"]["Problem"]
    assert "enum" not in problem["properties"]["type"]
