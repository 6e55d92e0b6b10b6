import pytest

from benchmarks.dynamodb_units import (
    TABLE,
    Index,
    indexes_of,
    item_bytes,
    read_units,
    write_units,
)

BY_TIME = Index("by-time", ("shard", "time"), frozenset({"id", "shard", "time", "status"}))
WHOLE = Index("whole", ("status",), None)


def item(size, **attributes):
    """Build an item of exactly `size` bytes."""
    it = {"id": {"S": "1"}, **{name: {"S": text} for name, text in attributes.items()}}
    it["filler"] = {"S": "x" * (size - item_bytes(it) - len("filler"))}
    assert item_bytes(it) == size
    return it


@pytest.mark.parametrize(("size", "units"), [(20, 1), (1024, 1), (1025, 2), (2048, 2), (2049, 3)])
def test_a_write_costs_one_unit_per_started_kilobyte(size, units):
    assert write_units(None, item(size), ()) == {TABLE: units}


def test_a_write_costs_the_units_of_the_larger_image():
    assert write_units(item(3000), item(500), ()) == {TABLE: 3}


@pytest.mark.parametrize(
    ("before", "after", "units"),
    [
        ({}, {}, 0),
        ({}, {"shard": "0"}, 0),  # one key attribute is missing
        ({}, {"shard": "0", "time": "1"}, 1),
        ({"shard": "0", "time": "1"}, {}, 1),
        ({"shard": "0", "time": "1"}, {"shard": "0", "time": "1"}, 0),
        ({"shard": "0", "time": "1", "status": "a"}, {"shard": "0", "time": "1", "status": "b"}, 1),
        ({"shard": "0", "time": "1"}, {"shard": "0", "time": "2"}, 2),
    ],
)
def test_a_changed_index_entry_costs_one_write_and_a_moved_one_two(before, after, units):
    written = write_units(item(200, **before), item(300, **after), (BY_TIME,))

    assert written == {TABLE: 1, "by-time": units}


def test_an_index_entry_has_the_size_of_the_projected_attributes():
    large = item(3000, shard="0", time="1", status="a")

    assert write_units(None, large, (BY_TIME, WHOLE)) == {TABLE: 3, "by-time": 1, "whole": 3}


def test_indexes_are_read_from_a_table_description():
    table = {
        "KeySchema": [{"AttributeName": "id"}],
        "GlobalSecondaryIndexes": [
            {
                "IndexName": "by-time",
                "KeySchema": [{"AttributeName": "shard"}, {"AttributeName": "time"}],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["status"]},
            },
            {
                "IndexName": "whole",
                "KeySchema": [{"AttributeName": "status"}],
                "Projection": {"ProjectionType": "ALL"},
            },
        ],
    }

    assert indexes_of(table) == (BY_TIME, WHOLE)


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ({"S": "a"}, 1),
        ({"S": "ä"}, 2),
        ({"B": b"\x00\x01\x02"}, 3),
        ({"BOOL": True}, 1),
        ({"NULL": True}, 1),
        ({"N": "7"}, 2),
        ({"N": "1000"}, 2),  # trailing zeros do not count
        ({"N": "0.05"}, 2),  # nor do leading zeros
        ({"N": "10.5"}, 3),
        ({"N": "123"}, 3),
        ({"N": "-123"}, 4),
        ({"N": "1803658287"}, 6),
        ({"L": []}, 3),
        ({"L": [{"S": "ab"}, {"S": "c"}]}, 3 + 2 + 3),
        ({"L": [{"S": "ab"}, {"NULL": True}]}, 3 + 3 + 2),
        ({"M": {"a": {"S": "bc"}}}, 3 + 1 + 3),
        ({"M": {"bytes": {"B": b"12345"}, "flag": {"BOOL": True}}}, 3 + 2 + 10 + 5),
        ({"SS": ["ab", "c"]}, 3),
        ({"NS": ["7", "1803658287"]}, 2 + 6),
    ],
)
def test_values_have_the_documented_sizes(value, size):
    assert item_bytes({"name": value}) == len("name") + size


@pytest.mark.parametrize(
    ("size", "consistent", "units"),
    [(0, True, 1), (4096, True, 1), (4097, True, 2), (4096, False, 0.5), (4097, False, 1)],
)
def test_a_read_costs_one_unit_per_started_4_kb_or_half_if_eventually_consistent(
    size, consistent, units
):
    assert read_units(size, consistent=consistent) == units
