import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentruns.trajectories.files import LARGEST, Unreadable
from agentruns.trajectories.json_head import keys_of, parse_head
from agentruns.trajectories.json_parts import JsonSplitter, parts_of
from agentruns.trajectories.lines import lines_of

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


def joined(parts):
    """The object that the parts are of, without its empty lists."""
    whole = {}
    for part in parts:
        if part.place is None:
            whole[part.key] = part.value()
        else:
            whole.setdefault(part.key, []).append(part.value())
    return whole


@given(st.dictionaries(st.text(), JSON), st.integers(1, 50), st.sampled_from([None, 1]))
def test_the_parts_are_the_object_wherever_it_is_cut(document, length, indent):
    data = json.dumps(document, indent=indent, ensure_ascii=False).encode("utf-8", "surrogatepass")
    splitter, parts = JsonSplitter(), []
    for start in range(0, len(data), length):
        parts += splitter.feed(data[start : start + length])
    splitter.end()
    assert joined(parts) == {key: value for key, value in document.items() if value != []}
    assert all(data[p.offset : p.offset + len(p.data)] == p.data for p in parts)


@given(st.dictionaries(st.text(), JSON, min_size=1), st.data())
def test_an_object_that_is_cut_off_is_told(document, data):
    whole = json.dumps(document).encode()
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(Unreadable):
        list(parts_of([whole[:cut]]))


@given(st.binary(max_size=60) | st.text('{}[],:"\\ a1', max_size=40).map(str.encode))
def test_no_bytes_are_fatal(data):
    with suppress(Unreadable):
        joined(parts_of([data]))


@pytest.mark.parametrize(
    ("data", "offset"),
    [
        (b"[1]", 0),
        (b"", 0),
        (b'{"a": [1}', 8),
        (b'{"a": 1]', 7),
        (b'{"a" "b"}', 8),
        (b'{"a": [1] 2}', 11),
        (b'{"a": 1} x', 8),
        (b"{1: 2}", 2),
        (b'{"a": 1}{"b": 2}', 8),
        (b'{"steps": [1, 2', 15),
    ],
)
def test_a_fault_names_its_byte(data, offset):
    with pytest.raises(Unreadable) as caught:
        list(parts_of([data] if data else []))
    assert caught.value.offset == offset


def test_a_broken_part_names_its_byte_in_the_file_and_the_rest_is_read():
    parts = list(parts_of([b'{"a": [nil, 2], "b": 3}']))
    with pytest.raises(Unreadable) as caught:
        parts[0].value()
    assert caught.value.offset == 7
    assert [part.value() for part in parts[1:]] == [2, 3]


def test_a_part_that_is_too_large_is_counted_and_not_held():
    pieces = [b'{"a": ["', *[b"x" * 2**20] * (LARGEST // 2**20 + 1), b'", 2]}']
    large, small = parts_of(pieces)
    assert (large.data, large.size) == (b"", LARGEST + 2**20 + 2)
    assert small.value() == 2
    with pytest.raises(Unreadable, match="more than"):
        large.value()


def test_a_byte_order_mark_is_no_fault():
    assert joined(parts_of([b'\xef\xbb\xbf {"a": 1}'])) == {"a": 1}


def test_a_head_tells_names_before_the_end_is_known():
    head = parse_head(b'{"v": 1, "history": [{"model_output": null, "state": {"screenshot": "iVB')
    assert head.values == {"v": b"1"}
    assert keys_of(head.firsts["history"]) == {"model_output", "state"}


@given(st.lists(st.binary(max_size=9)), st.integers(1, 20))
def test_lines_are_found_wherever_they_are_cut(lines, length):
    lines = [line.replace(b"\n", b"") for line in lines]
    data = b"\n".join(lines)
    found = list(lines_of(data[i : i + length] for i in range(0, len(data), length)))
    assert [line.data for line in found] == [line for line in lines if line.strip()]
    assert all(data[line.offset :].startswith(line.data) for line in found)


def test_a_line_that_is_too_long_is_counted_and_not_held():
    pieces = [*[b"x" * 2**20] * (LARGEST // 2**20 + 1), b"\nnext"]
    long, short = lines_of(pieces)
    assert (long.data, long.size) == (b"", LARGEST + 2**20)
    assert (short.data, short.number) == (b"next", 1)
    with pytest.raises(Unreadable, match="more than"):
        long.content()
