import json
import math
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentruns.cleaning import clean_json, clean_text, clip_json, clip_text
from agentruns.models import check_json

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()))
)
ANY_JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()), inner),
    max_leaves=30,
)


@settings(deadline=None)  # the machine may be busy
@given(ANY_JSON)
def test_whatever_json_gives_becomes_storable(value):
    check_json(clean_json(value))


@settings(deadline=None)  # the machine may be busy
@given(ANY_JSON)
def test_cleaning_twice_is_cleaning_once(value):
    clean = clean_json(value)
    assert clean_json(clean) == clean


@settings(deadline=None)  # the machine may be busy
@given(ANY_JSON)
def test_clean_json_stays_as_it_is(value):
    try:
        check_json(value)
    except ValueError:
        return
    assert clean_json(value) == value


@pytest.mark.parametrize(
    ("value", "clean"),
    [
        ("a\x00b", "a\ufffdb"),
        ("\ud800", "\ufffd"),
        ("\ud83d\ude00", "\U0001f600"),  # two halves of one character
        (math.inf, "Infinity"),
        (-math.inf, "-Infinity"),
        (math.nan, "NaN"),
        (2**63, "9223372036854775808"),
        (-(2**63), -(2**63)),
        ((1, 2), [1, 2]),
        ({1: 2}, {"1": 2}),
        ({"a\x00": 1, "a\ufffd": 2}, {"a\ufffd": 1, "a\ufffd_2": 2}),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02 00:00:00+00:00"),
    ],
)
def test_what_stores_refuse_becomes_text(value, clean):
    assert clean_json(value) == clean


def test_an_integer_too_long_for_decimal_digits_is_kept_in_hexadecimal():
    assert clean_json(16**5000) == hex(16**5000)


@pytest.mark.parametrize("depth", [79, 80, 81, 300])
def test_deep_nesting_becomes_text_and_never_a_recursion_error(depth):
    clean = clean_json(json.loads("[" * depth + '"x"' + "]" * depth))
    check_json(clean)
    assert "x" in json.dumps(clean)


def test_nesting_beyond_what_python_can_write_is_noted():
    value: list = []
    for _ in range(100_000):
        value = [value]
    clean = clean_json(value)
    check_json(clean)
    assert "left out" in json.dumps(clean)


def test_clean_text_gives_text_without_faults_back():
    assert clean_text("grüße \U0001f600") == "grüße \U0001f600"


def test_a_clipped_text_says_how_much_is_missing():
    assert clip_text("abcdef", 4) == "abcd [... 2 more characters left out]"


@pytest.mark.parametrize(
    "value",
    [
        {"text": "x" * 3_000_000},
        {"list": list(range(1_000_000))},
        {str(key): key for key in range(200_000)},
        {"deep": [["y" * 1_000 for _ in range(100)] for _ in range(100)]},
        {"k" * 2_000_000: 1},
    ],
)
def test_a_clipped_document_is_below_its_limit_and_says_so(value):
    clipped = clip_json(value, 900_000)
    text = json.dumps(clipped, ensure_ascii=False)
    assert len(text.encode()) <= 900_000
    assert "left out" in text


def test_a_document_that_fits_is_not_clipped():
    assert clip_json({"a": ["b"]}, 100) == {"a": ["b"]}
