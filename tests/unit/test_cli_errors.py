"""Each kind of error has its exit code and its sentence."""

import httpx
import pytest
from pydantic import BaseModel, Field, ValidationError

from apps.cli import launch
from apps.cli.errors import CommandError, explain
from apps.cli.exit_codes import ExitCode
from apps.stack.errors import StackError
from storage import errors

REQUEST = httpx.Request("GET", "http://agentruns:secret@127.0.0.1/api")


def answered(status: int) -> httpx.HTTPStatusError:
    return httpx.HTTPStatusError("", request=REQUEST, response=httpx.Response(status))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CommandError(ExitCode.WRONG_USAGE, "wrong."), ExitCode.WRONG_USAGE),
        (errors.StoreUnavailable("away."), ExitCode.AWAY),
        (errors.SchemaMismatch("newer."), ExitCode.AWAY),
        (errors.AccessDenied("refused."), ExitCode.REFUSED),
        (errors.SettingsError("malformed."), ExitCode.WRONG_USAGE),
        (errors.RecordNotFound("none."), ExitCode.WRONG_USAGE),
        (errors.RecordRejected("never."), ExitCode.WRONG_USAGE),
        (StackError("port taken."), ExitCode.AWAY),
        (ValueError("limit."), ExitCode.WRONG_USAGE),
        (FileNotFoundError(2, "No such file or directory", "x"), ExitCode.WRONG_USAGE),
        (httpx.ConnectError("away", request=REQUEST), ExitCode.AWAY),
        (answered(500), ExitCode.AWAY),
        (answered(401), ExitCode.REFUSED),
        (answered(403), ExitCode.REFUSED),
        (KeyError("secret"), ExitCode.NOT_GOOD),
    ],
)
def test_an_error_has_the_exit_code_of_its_kind(error: Exception, code: ExitCode) -> None:
    explanation = explain(error)
    assert explanation.code == code
    assert explanation.sentence.endswith(".")


@pytest.mark.parametrize("error", [KeyError("hunter2"), RuntimeError("hunter2"), answered(500)])
def test_the_words_of_an_unknown_error_are_not_quoted(error: Exception) -> None:
    assert "hunter2" not in explain(error).sentence
    assert "secret" not in explain(error).sentence


class Login(BaseModel):
    name: str = Field(max_length=3)
    password: int


def test_a_validation_error_names_the_fields_and_hides_their_values() -> None:
    with pytest.raises(ValidationError) as caught:
        Login.model_validate({"name": "abcdef", "password": "hunter2"})
    sentence = explain(caught.value).sentence
    assert sentence.startswith("name: String should have at most 3 characters; password: ")
    assert "hunter2" not in sentence
    assert "abcdef" not in sentence


def test_ctrl_c_inside_a_library_that_makes_an_error_of_it_is_still_ctrl_c(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> int:
        raise ValueError("Error calling function") from KeyboardInterrupt()

    monkeypatch.setattr(launch, "_called", interrupted)
    assert launch.run(["evaluate"]) == ExitCode.STOPPED
    assert "Stopped. The verdicts so far are kept" in capsys.readouterr().err
