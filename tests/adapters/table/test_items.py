import base64

import pytest
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from hypothesis import given
from hypothesis import strategies as st

from inference_results.adapters.table.items import from_item, from_stream_image, to_item
from inference_results.contract import Attribute, Status

TEXTS = st.text(max_size=5)
NUMBERS = st.integers(-(10**37), 10**37)
SCALARS = TEXTS | NUMBERS | st.booleans() | st.binary(max_size=5)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3)
)
ITEMS = st.dictionaries(TEXTS, VALUES | st.sets(TEXTS, min_size=1, max_size=3), max_size=5)


def sort_sets(value):
    """Sort string sets: their order has no meaning."""
    match value:
        case {"SS": list(texts)}:
            return {"SS": sorted(texts)}
        case dict():
            return {name: sort_sets(each) for name, each in value.items()}
        case list():
            return [sort_sets(each) for each in value]
    return value


@given(ITEMS)
def test_items_are_the_same_as_boto3s(item):
    expected = {name: TypeSerializer().serialize(value) for name, value in item.items()}
    assert to_item(item) == sort_sets(expected)


@given(ITEMS)
def test_converting_to_an_item_and_back_changes_nothing(item):
    assert from_item(to_item(item)) == item


@given(
    st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-9999, max_value=9999)
)
def test_numbers_have_the_same_value_as_boto3s(number):
    item = {"N": str(number)}
    (read,) = from_item({"number": item}).values()
    assert read == float(TypeDeserializer().deserialize(item))
    assert isinstance(read, int) == (number == number.to_integral_value())


def test_none_is_left_out_also_in_maps():
    assert to_item({"a": None, "b": {"c": None, "d": "e"}}) == {"b": {"M": {"d": {"S": "e"}}}}


def test_enum_members_become_plain_texts():
    written = to_item({Attribute.STATUS: Status.COMPLETED, "in": (Status.FAILED,)})
    assert {type(name) for name in written} == {str}
    assert type(written["status"]["S"]) is str
    assert type(written["in"]["L"][0]["S"]) is str


def test_every_dynamodb_type_can_be_read():
    item = {
        "null": {"NULL": True},
        "numbers": {"NS": ["1", "2.5"]},
        "binaries": {"BS": [b"a"]},
        "nested": {"M": {"list": {"L": [{"B": b"b"}, {"BOOL": False}]}}},
    }
    assert from_item(item) == {
        "null": None,
        "numbers": {1, 2.5},
        "binaries": {b"a"},
        "nested": {"list": [b"b", False]},
    }


def test_binary_values_in_a_stream_image_are_base64_at_any_depth():
    encoded = base64.b64encode(b"\x00\xff").decode()
    image = {
        "a": {"B": encoded},
        "b": {"M": {"c": {"L": [{"B": encoded}]}}},
        "d": {"BS": [encoded]},
    }
    assert from_stream_image(image) == {
        "a": b"\x00\xff",
        "b": {"c": [b"\x00\xff"]},
        "d": {b"\x00\xff"},
    }


@pytest.mark.parametrize("value", [1.5, None, object(), set(), {1}, {b"a"}])
def test_a_value_of_another_type_raises_type_error(value):
    with pytest.raises(TypeError, match=type(value).__name__):
        to_item({"list": [value]})


def test_an_unknown_dynamodb_type_raises_type_error():
    with pytest.raises(TypeError, match="X"):
        from_item({"a": {"X": "b"}})
