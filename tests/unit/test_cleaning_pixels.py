import base64
import hashlib
import json

import pytest

from agentruns.cleaning import picture_fault, picture_kind, take_pixels
from tests.unit.cua_folders import png

PNG = png(1)
CODE = base64.b64encode(PNG).decode()
GIF = b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff,\x00\x00;"
JPEG = b"\xff\xd8\xff\xe0" + bytes(range(200)) + b"\xff\xd9"
FRAME = b"\xff\xc0\x00\x11\x08" + b"\xff" * 4 + b"\x03" + bytes(9)
WEBP = b"RIFF" + (28).to_bytes(4, "little") + b"WEBP" + bytes(24)


def taken(value):
    pictures = []
    return take_pixels(value, pictures.append), pictures


@pytest.mark.parametrize(
    ("content", "content_type"),
    [(PNG, "image/png"), (GIF, "image/gif"), (JPEG, "image/jpeg"), (WEBP, "image/webp")],
)
def test_every_kind_of_picture_is_taken_and_referred_to(content, content_type):
    code = base64.b64encode(content).decode()
    value, pictures = taken({"a": [{"image_url": f"data:{content_type};base64,{code}"}]})
    sha256 = hashlib.sha256(content).hexdigest()
    assert value["a"][0]["image_url"] == {
        "sha256": sha256,
        "content_type": content_type,
        "size_bytes": len(content),
    }
    assert [(p.content, p.sha256, p.path) for p in pictures] == [
        (content, sha256, "a[0].image_url")
    ]


@pytest.mark.parametrize(
    "text",
    [
        str({"success": True, "screenshot": CODE}),
        json.dumps({"screenshot": CODE}),
        json.dumps(json.dumps({"screenshot": f"data:image/png;base64,{CODE}"})),
        json.dumps({"screenshot": CODE}).replace("/", "\\/"),
        f"$ base64 shot.png\n{base64.encodebytes(PNG).decode()}$ ",
        f"data:image/png;base64,{CODE} and words",
    ],
    ids=["python", "json", "json in json", "escaped slashes", "lines", "in words"],
)
def test_a_picture_inside_a_text_is_taken_and_named_there(text):
    value, pictures = taken({"output": text})
    assert [picture.content for picture in pictures] == [PNG]
    assert hashlib.sha256(PNG).hexdigest() in value["output"]
    assert CODE[20:60] not in value["output"]


def test_a_python_literal_stays_one():
    value, _ = taken(str({"success": True, "screenshot": CODE}))
    assert "'success': True" in value
    assert value.endswith("bytes]'}")


@pytest.mark.parametrize(
    "text",
    [
        base64.b64encode(b"no picture at all, only long text" * 50).decode(),
        "A" + CODE,  # the beginning of a picture in the middle of other base64
        CODE[:29],
        "iVBORw0KGgo",
        "[omitted]",
        "/9j/ is how JPEG begins",
    ],
)
def test_what_is_no_picture_stays(text):
    assert taken({"x": text}) == ({"x": text}, [])


def test_pictures_of_20_megabytes_go_through():
    content = PNG[:-12] + bytes(20_000_000) + PNG[-12:]
    value, pictures = taken({"o": str({"s": base64.b64encode(content).decode()})})
    assert pictures[0].content == content
    assert len(value["o"]) < 200


def test_taking_twice_takes_nothing_more():
    once, _ = taken({"a": CODE, "b": f"see {CODE}"})
    assert taken(once) == (once, [])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (PNG[: len(PNG) // 2], "cut off"),
        (b"<!doctype html><html></html>", "not a PNG"),
        (WEBP[:-4], "cut off"),
        (b"RIFF\x00\x00\x00\x00WAVE", "not a PNG"),
    ],
)
def test_a_broken_picture_is_named_as_what_it_is(content, words):
    assert words in picture_fault(content)


def webp(kind, rest):
    return b"RIFF" + (12 + len(rest)).to_bytes(4, "little") + b"WEBP" + kind + bytes(4) + rest


@pytest.mark.parametrize(
    "content",
    [
        PNG[:16] + (20_000).to_bytes(4) * 2 + PNG[24:],
        b"GIF89a" + b"\xff" * 4 + GIF[10:],
        JPEG[:2]
        + b"\xff\xe0\x00\x04ab\xff\xc2\x00\x0b\x08"
        + b"\xff" * 4
        + bytes(20)
        + b"\xff\xd9",
        JPEG[:2] + b"\xff\xfe\x00\x02" * 1001 + FRAME + b"\xff\xd9",
        JPEG[:2] + b"\xff\x01" + FRAME + b"\xff\xd9",
        JPEG[:2] + b"\xff\xfe\x00\x02what decoders skip" + FRAME + b"\xff\xd9",
        webp(b"VP8X", bytes(4) + b"\xff" * 6 + bytes(20)),
        webp(b"VP8L", b"\x2f" + b"\xff" * 4 + bytes(20)),
        webp(b"VP8 ", bytes(6) + b"\xff" * 4 + bytes(20)),
    ],
)
def test_a_picture_with_more_pixels_than_anybody_shows_is_named(content):
    assert "pixels, more than anybody shows" in picture_fault(content)


@pytest.mark.parametrize("content", [PNG, GIF, JPEG, WEBP, PNG + b"\n"])
def test_a_whole_picture_has_no_fault(content):
    assert picture_kind(content)
    assert picture_fault(content) is None
