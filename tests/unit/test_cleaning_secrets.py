import json
import time

import pytest

from agentruns.cleaning import REDACTED, Cleaner, redact, redact_text

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\nabc-def\n-----END RSA PRIVATE KEY-----"
SHAPES = [
    "sk-test-965eda32-dae4-4550-8201-e2bd73ab4876",
    "sk-ant-api03-AbCdEf0123456789",
    "ghp_" + "a1B2" * 9,
    "github_pat_" + "a1B2" * 9,
    "xoxb-123456789012-abcdefghijkl",
    "AKIA" + "ABCDEFGH12345678",
    "AIza" + "a1B2c" * 7,
    "hf_" + "a1B2" * 8,
    JWT,
    PEM,
    PEM[:50],
]


@pytest.mark.parametrize("secret", SHAPES)
def test_a_secret_is_known_by_its_shape(secret):
    value, paths = redact({"log": [f"using {secret} now"]})
    assert secret not in json.dumps(value)
    assert REDACTED in value["log"][0]
    assert paths == ("log[0]",)


@pytest.mark.parametrize(
    "key",
    [
        "api_key", "apiKey", "X-Api-Key", "OPENAI_API_KEY", "Authorization", "proxy-authorization",
        "password", "db_password", "passwd", "cookie", "Set-Cookie", "aws_secret_access_key",
        "aws_access_key_id", "access_token", "client_secret", "private_key", "token", "secret",
        "password1", "api_key_2",
    ],
)  # fmt: skip
def test_a_secret_is_known_by_its_key(key):
    assert redact({"kwargs": {key: "hunter2hunter2"}}) == (
        {"kwargs": {key: REDACTED}},
        (f"kwargs.{key}",),
    )


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ('{"api_key": "abc def"}', "abc def"),
        (json.dumps(json.dumps({"password": "hunter2"})), "hunter2"),
        ("{'secret_key': 'hunter2'}", "hunter2"),
        ("mongodb://root:hunter2@db:27017/x", "hunter2"),
        ("curl -H 'Authorization: Bearer abcdef'", "abcdef"),
        ("Cookie: session=hunter2; other=1", "hunter2"),
        ("https://x.test/?token=hunter2&page=2", "hunter2"),
        ("AWS_SECRET_ACCESS_KEY=hunter2/x", "hunter2/x"),
        ("login with password: hunter2!", "hunter2!"),
        ("docker login -u me --password hunter2xyz", "hunter2xyz"),
        ("bearer abcdefghijklmnop1234", "abcdefghijklmnop1234"),
    ],
)
def test_a_secret_inside_text_is_known_by_what_stands_before_it(text, secret):
    assert secret not in redact_text(text)
    assert REDACTED in redact_text(text)


@pytest.mark.parametrize(
    "harmless",
    [
        {"prompt_tokens": 900, "completion_tokens": 43, "total_tokens": 943, "max_tokens": 4096},
        {"token": "the", "logprob": -0.1},
        {"keys": ["ctrl", "c"], "key": "Enter"},
        {"password": None, "token": "", "secret": False},
        {"token_count": 5, "tokenizer": "cl100k_base_tokenizer"},
        {"text": "Type your password and press the key; the token is required."},
        {"text": "the task-list of disk-based desk-research-from-2024"},
        {"text": "http://localhost:8080/path@2x.png and 12:30:45 and user@example.org"},
        {"text": "Basic understanding of bearer authentication"},
        {"usage": '{"prompt_tokens": 900, "total_tokens": 943}'},
        {"id": "9b2d5e34-50a5-4f0e-a9b5-3a0f6b8a6d1e", "sha256": "a" * 64},
        "use --password to log in, --token for scripts",
    ],
)
def test_what_only_resembles_a_secret_stays(harmless):
    assert redact(harmless) == (harmless, ())


def test_headers_and_cookies_as_name_and_value_are_known():
    value = {"headers": [{"name": "Authorization", "value": "opaque"}, {"name": "a", "value": "b"}]}
    assert redact(value).value["headers"] == [
        {"name": "Authorization", "value": REDACTED},
        {"name": "a", "value": "b"},
    ]


@pytest.mark.parametrize("make", [list, tuple])
def test_headers_and_cookies_as_pairs_are_known(make):
    headers = [make(("Authorization", "Basic bWU6aHVudGVyMg==")), make(("Accept", "text/html"))]
    expected = [["Authorization", REDACTED], ["Accept", "text/html"]]
    assert Cleaner().json({"headers": headers}) == {"headers": expected}
    assert redact([["Cookie", "a=hunter2"]]).paths == ("[0][1]",)


@pytest.mark.parametrize("kept", [["password"], ["Authorization", ""], ["set", "cookies", "x"]])
def test_a_list_of_words_is_no_header(kept):
    assert Cleaner().json(kept) == kept


def test_a_secret_as_a_key_is_redacted_and_no_value_is_lost():
    value, _ = redact({SHAPES[0]: 1, SHAPES[1]: 2})
    assert sorted(value.values()) == [1, 2]
    assert "sk-" not in json.dumps(value)


def test_redacting_twice_finds_nothing_new():
    texts = [f"token={shape} password: {shape} Cookie: {shape}" for shape in SHAPES]
    once = redact({"texts": texts, "api_key": "x"}).value
    assert redact(once) == (once, ())


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "-----BEGIN PRIVATE KEY-----",
        "://:",
        'password": "',
        "sk-aaaaaaa",
        "eyJaaaaaaaaa.",
        "\\/",
    ],
)
def test_the_time_grows_with_the_length_of_a_hostile_text(piece):
    started = time.process_time()
    redact_text(piece * (5_000_000 // len(piece)))
    assert time.process_time() - started < 15


@pytest.mark.parametrize("key", ["pin", "PIN", "card_pin", "card-PIN", "cardPin"])
def test_a_number_that_is_a_pin_is_a_secret(key: str) -> None:
    assert redact({key: 4711}).value == {key: REDACTED}


@pytest.mark.parametrize("key", ["spin", "SPIN", "pinned", "pinCount", "spin_rate"])
def test_a_number_whose_name_only_sounds_like_a_pin_is_kept(key: str) -> None:
    assert redact({key: 4711}).value == {key: 4711}
