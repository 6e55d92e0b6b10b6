import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_results.domain.record.errors import LocationRejected
from inference_results.domain.record.location import (
    Location,
    allowed_location,
    parse_location,
    parse_prefix,
)

PREFIXES = ("s3://bucket/async/",)


@pytest.mark.parametrize(
    "text",
    [
        "s3://my.bucket-1/a/key.out",
        "https://my.bucket-1.s3.eu-west-1.amazonaws.com/a/key.out",
        "https://my.bucket-1.s3.amazonaws.com/a/key.out",
        "https://my.bucket-1.s3-eu-west-1.amazonaws.com/a/key.out",
        "https://my.bucket-1.s3.dualstack.eu-west-1.amazonaws.com/a/key.out",
        "https://my.bucket-1.s3.cn-north-1.amazonaws.com.cn/a/key.out",
        "https://s3.eu-west-1.amazonaws.com/my.bucket-1/a/key.out",
        "https://s3.amazonaws.com/my.bucket-1/a/key.out",
    ],
)
def test_every_style_of_location_names_the_same_object(text):
    assert parse_location(text) == Location("my.bucket-1", "a/key.out")


@pytest.mark.parametrize(
    "key", ["a b+c%20d#e?f=g&h.out", "2024-03-29 03:48:03.out", "//double", "ü/日本", "line\nbreak"]
)
@pytest.mark.parametrize("root", ["s3://bucket/", "https://bucket.s3.us-east-1.amazonaws.com/"])
def test_a_key_is_kept_as_it_is(root, key):
    assert parse_location(root + key).key == key


@pytest.mark.parametrize(
    "text",
    [
        "",
        "s3://",
        "s3://bucket",
        "s3://bucket/",
        "s3:///key",
        "S3://bucket/key",
        "http://bucket.s3.amazonaws.com/key",
        "https://example.com/bucket/key",
        "https://bucket.s3.eu-west-1.amazonaws.com.evil.example/key",
        "https://s3.eu-west-1.amazonaws.com/key-only",
        "file:///etc/passwd",
        "s3://buc ket/key",
        "s3://bucket/" + "k" * 1025,
    ],
)
def test_an_invalid_location_is_rejected(text):
    with pytest.raises(LocationRejected) as raised:
        parse_location(text)
    assert raised.value.code == "LocationInvalid"


def test_a_location_below_an_allowed_prefix_is_allowed():
    allowed = allowed_location("https://bucket.s3.eu-west-1.amazonaws.com/async/x", PREFIXES)
    assert allowed == Location("bucket", "async/x")


@pytest.mark.parametrize(
    "text",
    [
        "s3://bucket/other/x",
        "s3://bucket/asynchronous/x",
        "s3://bucket-2/async/x",
        "s3://bucket/async/../secret",
        "s3://bucket/async/a/../../secret",
        "s3://bucket/async/..",
        "https://s3.eu-west-1.amazonaws.com/other/async/x",
    ],
)
def test_a_location_outside_the_prefixes_is_rejected(text):
    with pytest.raises(LocationRejected) as raised:
        allowed_location(text, PREFIXES)
    assert raised.value.code == "LocationNotAllowed"


def test_dots_within_a_segment_are_allowed():
    assert allowed_location("s3://bucket/async/a..b", PREFIXES).key == "async/a..b"


@pytest.mark.parametrize("parse", [parse_location, parse_prefix])
def test_a_lone_surrogate_is_rejected(parse):
    """JSON and command lines can contain one; S3 keys cannot."""
    with pytest.raises(LocationRejected) as raised:
        parse("s3://bucket/\ud800")
    assert raised.value.code == "LocationInvalid"


@given(st.text())
def test_any_text_is_a_location_or_rejected(text):
    try:
        location = allowed_location(text, PREFIXES)
    except LocationRejected:
        return
    assert location.uri.startswith(PREFIXES)


@pytest.mark.parametrize("key", ["", "async/", "async/2026-", "a b+c%20d#e?f/", "/", "ü\n/"])
def test_a_prefix_is_kept_as_it_is(key):
    prefix = parse_prefix(f"s3://my.bucket-1/{key}")
    assert prefix == Location("my.bucket-1", key)
    assert prefix.uri == f"s3://my.bucket-1/{key}"


@pytest.mark.parametrize(
    "text",
    ["", "bucket", "s3://bucket", "s3:///key", "s3://b/", "https://s3.amazonaws.com/bucket/", "/a"]
    + ["s3://bucket/" + "ü" * 513],
)
def test_an_invalid_prefix_is_rejected(text):
    with pytest.raises(LocationRejected, match="LocationInvalid"):
        parse_prefix(text)
