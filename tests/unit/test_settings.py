"""Where settings come from, and what is said about a bad one."""

from pathlib import Path

import pytest

from storage.errors import SettingsError
from storage.settings import component_settings, load_settings

STACK = """
MONGODB_URL='mongodb://stack:s@127.0.0.1:1/'
POSTGRES_URL='postgresql://stack:s@127.0.0.1:2/agentruns'
MINIO_ENDPOINT='127.0.0.1:3'
MINIO_ACCESS_KEY='stack'
MINIO_SECRET_KEY='stack-secret'
MINIO_SECURE='false'
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder and an empty home."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AGENTRUNS_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    return tmp_path


@pytest.fixture
def stack(folder: Path) -> None:
    """A local stack that left its settings."""
    (folder / "home" / "stack.env").write_text(STACK)


def test_with_nothing_set_a_setting_that_is_needed_is_named() -> None:
    with pytest.raises(SettingsError, match=r"POSTGRES_URL is not set.*agentruns up"):
        load_settings().required("postgres_url")


@pytest.mark.usefixtures("stack")
def test_with_nothing_set_the_local_stack_is_used() -> None:
    settings = load_settings()
    assert settings.required("mongodb_url") == "mongodb://stack:s@127.0.0.1:1/"
    assert settings.minio_secure is False


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MONGODB_URL", "mongodb://own.example.org"),
        ("POSTGRES_URL", "postgresql://own.example.org/db"),
        ("MINIO_ENDPOINT", "own.example.org"),
        ("MONGODB_CLUSTERS", '{"a-*": "mongodb://own.example.org"}'),
    ],
)
def test_naming_one_store_of_your_own_means_no_store_of_the_stack(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    settings = load_settings()
    stores = [settings.mongodb_url, settings.postgres_url, settings.minio_endpoint]
    assert len([each for each in stores if each]) == (0 if name == "MONGODB_CLUSTERS" else 1)
    assert settings.minio_secret_key is None
    assert settings.minio_secure is True


@pytest.mark.usefixtures("stack")
def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONGODB_URL", "")
    assert load_settings().required("mongodb_url").startswith("mongodb://stack")


@pytest.mark.usefixtures("stack")
def test_a_store_named_by_a_file_is_a_store_of_your_own(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    (folder / "secret").write_text("mongodb://from-file:s@own.example.org\n")
    monkeypatch.setenv("MONGODB_URL_FILE", str(folder / "secret"))

    settings = load_settings()

    assert settings.required("mongodb_url").startswith("mongodb://from-file:s@own.example.org/?")
    assert settings.postgres_url is None


def test_an_env_file_may_name_the_file_of_a_secret(folder: Path) -> None:
    (folder / "secret").write_text("postgresql://from-file:s@own.example.org/db\n")
    (folder / ".env").write_text(f"POSTGRES_URL_FILE={folder / 'secret'}\n")
    assert "from-file:s@own.example.org/db?" in load_settings().required("postgres_url")


def test_a_variable_goes_before_its_file(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setenv("MINIO_SECRET_KEY", "direct")
    monkeypatch.setenv("MINIO_SECRET_KEY_FILE", str(folder / "not-there"))
    assert load_settings().required("minio_secret_key") == "direct"


def test_a_file_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setenv("MINIO_SECRET_KEY_FILE", str(folder / "not-there"))
    with pytest.raises(SettingsError, match="MINIO_SECRET_KEY_FILE cannot be read"):
        load_settings()


def test_clusters_may_come_from_a_file(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    (folder / "clusters").write_text('{"browser-*": "mongodb://far.example.org"}')
    monkeypatch.setenv("MONGODB_CLUSTERS_FILE", str(folder / "clusters"))
    assert set(load_settings().mongodb_clusters) == {"browser-*"}


def test_an_env_file_of_your_own_is_read_and_the_environment_goes_before_it(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    (folder / "own.env").write_text("MINIO_ENDPOINT=file:9000\nMINIO_REGION=eu\n")
    monkeypatch.setenv("AGENTRUNS_ENV_FILE", str(folder / "own.env"))
    monkeypatch.setenv("MINIO_REGION", "us")

    settings = load_settings()

    assert (settings.minio_endpoint, settings.minio_region) == ("file:9000", "us")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MONGODB_URL", "http://user:geheim@host"),
        ("MONGODB_URL", "user:geheim@host:27017"),
        ("MONGODB_URL", "mongodb://user:geh@eim@host"),
        ("MONGODB_URL", "mongodb://user:geh/geheim@host"),
        ("MONGODB_URL", "mongodb://user:geheim@"),
        ("MONGODB_URL", "mongodb://user:geheim@host:port"),
        ("MONGODB_URL", "mongodb://user:geheim@host:70000"),
        ("MONGODB_CLUSTERS", '{"a": "http://user:geheim@host"}'),
        ("MONGODB_CLUSTERS", '{"a": geheim'),
        ("MONGODB_CLUSTERS", '["geheim"]'),
        ("POSTGRES_URL", "mysql://user:geheim@host/db"),
        ("POSTGRES_URL", "geheim"),
        ("MINIO_ENDPOINT", "http://geheim:9000"),
        ("MINIO_ENDPOINT", "geheim:port"),
        ("MINIO_ENDPOINT", "geheim:70000"),
        ("MINIO_ENDPOINT", "geheim:9000/path"),
        ("MINIO_ENDPOINT", "..geheim"),
        ("MINIO_REGION", "geheim geheim"),
        ("MINIO_PUBLIC_ENDPOINT", "https://geheim"),
        ("MINIO_SECURE", "geheim"),
        ("AGENT_ID", "Geheim/geheim"),
        ("AGENTRUNS_ENVIRONMENT", "geheim"),
    ],
)
def test_a_malformed_setting_is_named_and_its_value_is_not_told(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as refused:
        load_settings()
    message = str(refused.value)
    assert name in message.upper()
    assert "geheim" not in message
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MONGODB_URL", "mongodb://127.0.0.1:27017/?authSource=admin"),
        ("MONGODB_URL", "mongodb://u:p%40ss@a:1,b:2,c/?replicaSet=r"),
        ("MONGODB_URL", "mongodb+srv://u:p@cluster0.example.net"),
        ("MONGODB_URL", "mongodb://[::1]:27017"),
        ("MONGODB_URL", "mongodb://u:p@h:65535/"),
        ("MONGODB_URL", "mongodb://%2Frun%2Fmongodb.sock"),
        ("POSTGRES_URL", "postgres://u:p@h:5432/db?sslmode=require"),
        ("POSTGRES_URL", "postgresql:///db?host=/run/postgresql"),
        ("MINIO_ENDPOINT", "[::1]:9000"),
        ("MINIO_ENDPOINT", "s3.eu-central-1.amazonaws.com"),
    ],
)
def test_every_usual_address_is_taken(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    # Beyond this machine, TLS comes on top.
    assert load_settings().required(name.lower()).rstrip("/").startswith(value.rstrip("/"))


@pytest.mark.usefixtures("stack")
def test_no_secret_is_shown_when_settings_are_printed() -> None:
    settings = load_settings()
    shown = f"{settings!r} {settings} {settings.model_dump_json()}"
    assert "stack:s" not in shown
    assert "stack-secret" not in shown


def test_urls_are_signed_for_https_as_the_store_speaks_it_unless_said_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MINIO_SECURE", "false")
    assert load_settings().public_secure is False
    monkeypatch.setenv("MINIO_PUBLIC_SECURE", "true")
    assert load_settings().public_secure is True


def test_urls_are_signed_by_the_signing_key_and_never_with_half_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in (("ACCESS_KEY", "own"), ("SECRET_KEY", "own-secret")):
        monkeypatch.setenv(f"MINIO_{name}", value)
    assert (load_settings().signing_key, load_settings().signing_secret) == ("own", "own-secret")
    monkeypatch.setenv("MINIO_SIGNING_ACCESS_KEY", "signs")
    with pytest.raises(SettingsError, match="MINIO_SIGNING_SECRET_KEY is not set"):
        _ = load_settings().signing_secret
    monkeypatch.setenv("MINIO_SIGNING_SECRET_KEY", "signs-secret")
    assert (load_settings().signing_key, load_settings().signing_secret) == (
        "signs",
        "signs-secret",
    )


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize("name", ["missing.env", "."])
def test_a_chosen_env_file_that_is_not_there_never_leads_to_other_stores(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("AGENTRUNS_ENV_FILE", name)
    with pytest.raises(SettingsError, match="AGENTRUNS_ENV_FILE cannot be read"):
        load_settings()


@pytest.mark.parametrize("value", ["{x", "[1]", "text", "5"])
def test_clusters_that_are_no_json_object_are_named_with_an_example(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("MONGODB_CLUSTERS", value)
    with pytest.raises(SettingsError, match="MONGODB_CLUSTERS is malformed: it must be a JSON"):
        load_settings()


def test_a_component_has_what_its_env_file_says_and_nothing_of_ours(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    file = folder / "evaluator.env"
    file.write_text("POSTGRES_URL=postgresql://evaluator:s@db.example.org/x\n")
    monkeypatch.setenv("AGENTRUNS_EVALUATOR_ENV_FILE", str(file))
    monkeypatch.setenv("MINIO_SECRET_KEY", "the operator's")

    settings = component_settings("evaluator")

    assert settings.required("postgres_url").startswith("postgresql://evaluator")
    assert settings.minio_secret_key is None


@pytest.mark.usefixtures("stack")
def test_on_the_local_stack_a_component_is_itself(folder: Path) -> None:
    told = "POSTGRES_URL=postgresql://evaluator:s@127.0.0.1:1/x\n"
    (folder / "home" / "evaluator.env").write_text(told)

    assert "evaluator" in component_settings("evaluator").required("postgres_url")


@pytest.mark.usefixtures("stack")
def test_who_was_given_the_stores_by_name_is_the_component(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    (folder / "home" / "evaluator.env").write_text("POSTGRES_URL=postgresql://local@127.0.0.1/x\n")
    monkeypatch.setenv("POSTGRES_URL", "postgresql://own@db.example.org/x")

    assert "own@" in component_settings("evaluator").required("postgres_url")


def test_a_components_file_that_is_not_there_is_told(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.setenv("AGENTRUNS_EVALUATOR_ENV_FILE", str(folder / "none.env"))

    with pytest.raises(SettingsError, match=r"none\.env cannot be read"):
        component_settings("evaluator")


@pytest.mark.parametrize(
    ("environment", "told", "provisions"),
    [("dev", None, True), ("dev", "no", False), ("prod", None, False), ("staging", "yes", True)],
)
def test_agents_are_let_in_by_their_first_record_in_dev_or_where_it_is_set(
    monkeypatch: pytest.MonkeyPatch, environment: str, told: str | None, provisions: bool
) -> None:
    monkeypatch.setenv("AGENTRUNS_ENVIRONMENT", environment)
    if told:
        monkeypatch.setenv("AGENTRUNS_PROVISION", told)

    assert load_settings().provisions is provisions


def test_the_bucket_of_a_source_has_settings_of_its_own_and_none_by_default(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = load_settings().missing_for_source()
    assert missing == [f"AGENTRUNS_SOURCE_S3_{n}" for n in ("ENDPOINT", "ACCESS_KEY", "SECRET_KEY")]
    (folder / "secret").write_text("of a file\n")
    monkeypatch.setenv("AGENTRUNS_SOURCE_S3_ENDPOINT", "s3.example.com:9000")
    monkeypatch.setenv("AGENTRUNS_SOURCE_S3_ACCESS_KEY", "reader")
    monkeypatch.setenv("AGENTRUNS_SOURCE_S3_SECRET_KEY_FILE", str(folder / "secret"))
    settings = load_settings()
    assert settings.missing_for_source() == []
    assert settings.required("agentruns_source_s3_secret_key") == "of a file"
    assert "of a file" not in repr(settings)
    monkeypatch.setenv("AGENTRUNS_SOURCE_S3_CA_FILE", str(folder / "nothing"))
    with pytest.raises(SettingsError, match="AGENTRUNS_SOURCE_S3_CA_FILE cannot be read"):
        load_settings()
    monkeypatch.setenv("AGENTRUNS_SOURCE_S3_ENDPOINT", "https://s3.example.com")
    with pytest.raises(SettingsError, match="AGENTRUNS_SOURCE_S3_ENDPOINT is malformed"):
        load_settings()
