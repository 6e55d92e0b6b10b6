import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_results.domain.reconciliation.known_locations import KnownLocations
from inference_results.domain.record.location import Location

PREFIX = Location("bucket", "async/")
KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)


@given(known=st.sets(KEYS), others=st.sets(KEYS))
def test_exactly_the_given_keys_are_known(known, others):
    locations = KnownLocations(PREFIX, (f"s3://bucket/async/{key}" for key in known))
    assert all(Location("bucket", f"async/{key}") in locations for key in known)
    assert not any(Location("bucket", f"async/{key}") in locations for key in others - known)


@pytest.mark.parametrize(
    "text",
    [
        "https://bucket.s3.eu-west-1.amazonaws.com/async/a b.out",
        "https://s3.amazonaws.com/bucket/async/a b.out",
    ],
)
def test_every_style_of_location_is_known(text):
    assert Location("bucket", "async/a b.out") in KnownLocations(PREFIX, [text])


def test_other_prefixes_and_invalid_locations_are_ignored():
    elsewhere = ["s3://bucket/other/x", "s3://bucket-2/async/x", "", "async/x", "s3://bucket/async"]
    locations = KnownLocations(PREFIX, [*elsewhere, "s3://bucket/async/x"])
    assert len(locations) == 1
    assert Location("bucket", "other/x") not in locations


def test_a_location_takes_at_most_ten_bytes():
    number = 100_000
    texts = (f"s3://bucket/async/{i}.out" for i in range(number))
    tracemalloc.start()
    try:
        locations = KnownLocations(PREFIX, texts)
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(locations) == number
    assert held < 10 * number
    assert peak < 11 * number
