"""When TLS is asked for, and what no URL may ask for beside a CA file."""

from urllib.parse import parse_qs, urlsplit

import pytest

from storage.errors import SettingsError
from storage.settings import settings_from
from storage.tls import Files, secured_mongodb, secured_postgres

NONE_PG, NONE_MONGO = Files("POSTGRES"), Files("MONGODB")


def options(url):
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


@pytest.mark.parametrize(
    "place",
    ["127.0.0.1:5432", "localhost", "[::1]:5432", "", "%2Frun%2Fpostgresql", "127.0.0.1,[::1]"],
)
def test_on_this_machine_nothing_changes(place):
    assert (
        secured_postgres(f"postgresql://u:p@{place}/db", NONE_PG) == f"postgresql://u:p@{place}/db"
    )
    url = f"mongodb://u:p@{place or 'localhost'}"
    assert secured_mongodb(url, NONE_MONGO) == url


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p@db.example.org/db",
        "postgresql://u:p@127.0.0.1,db.example.org/db",
        "postgresql:///db?host=db.example.org",
        "postgresql://u:p@127.example.org/db",
        "postgresql://u:p@localhost/db?hostaddr=10.0.0.7",
    ],
)
def test_beyond_this_machine_postgresql_is_verified(url):
    given = options(secured_postgres(url, NONE_PG))
    assert (given["sslmode"], given["sslrootcert"]) == ("verify-full", "system")


def test_beyond_this_machine_mongodb_is_verified():
    assert secured_mongodb("mongodb://u:p@a,b/x?replicaSet=r", NONE_MONGO).endswith(
        "/x?replicaSet=r&tls=true"
    )


@pytest.mark.parametrize("said", ["sslmode=require", "sslmode=disable"])
def test_what_the_url_says_of_postgresql_counts(said):
    url = f"postgresql://u:p@db.example.org/db?{said}"
    assert secured_postgres(url, NONE_PG) == url


@pytest.mark.parametrize("said", ["tls=false", "ssl=false", "tls=true"])
def test_what_the_url_says_of_mongodb_counts(said):
    url = f"mongodb://u:p@db.example.org/?{said}"
    assert secured_mongodb(url, NONE_MONGO) == url


def test_what_else_a_url_says_stays_as_it_was_written():
    said = "readPreferenceTags=dc:a&readPreferenceTags=dc:b&readPreferenceTags="
    secured = secured_mongodb(f"mongodb://u:p@db.example.org/x?{said}", NONE_MONGO)
    assert secured == f"mongodb://u:p@db.example.org/x?{said}&tls=true"


@pytest.fixture
def ca(tmp_path):
    ca = tmp_path / "my ca.pem"
    ca.touch()
    return ca


def test_a_ca_file_means_verification_everywhere(ca):
    settings = settings_from(
        {
            "POSTGRES_URL": "postgresql://u:p@localhost/db",
            "MONGODB_URL": "mongodb://u:p@localhost",
            "MONGODB_CLUSTERS": '{"a*": "mongodb://u:p@localhost:1/?replicaSet=r"}',
            "POSTGRES_CA_FILE": str(ca),
            "MONGODB_CA_FILE": str(ca),
        }
    )
    given = options(settings.required("postgres_url"))
    assert (given["sslmode"], given["sslrootcert"]) == ("verify-full", str(ca))
    for url in (settings.mongodb_url, settings.mongodb_clusters["a*"]):
        assert options(url.get_secret_value())["tlsCAFile"] == str(ca)
        assert options(url.get_secret_value())["tls"] == "true"


@pytest.mark.parametrize(
    ("store", "url"),
    [
        ("POSTGRES", "postgresql://u:hunter2@db/x?sslmode=prefer"),
        ("MONGODB", "mongodb://u:hunter2@db/?tls=false"),
        ("MONGODB", "mongodb://u:hunter2@db/?tlsInsecure=true"),
        ("MONGODB", "mongodb://u:hunter2@db/?tls=true&tlsAllowInvalidHostnames=true"),
    ],
)
def test_no_url_may_ask_for_less_than_its_ca_file(ca, store, url):
    with pytest.raises(SettingsError, match=f"{store}_CA_FILE") as refused:
        settings_from({f"{store}_URL": url, f"{store}_CA_FILE": str(ca)})
    assert "hunter2" not in str(refused.value)


def test_an_authority_of_minio_means_tls(ca):
    with pytest.raises(SettingsError, match="MINIO_CA_FILE"):
        settings_from({"MINIO_SECURE": "false", "MINIO_CA_FILE": str(ca)})


@pytest.mark.parametrize(
    "name",
    [
        *("POSTGRES_CA_FILE", "POSTGRES_CERTIFICATE_FILE", "POSTGRES_KEY_FILE"),
        *("MONGODB_CA_FILE", "MONGODB_CERTIFICATE_FILE", "MINIO_CA_FILE"),
    ],
)
def test_a_file_that_is_not_there_is_told_by_its_setting(name, tmp_path):
    urls = {"POSTGRES_URL": "postgresql://h/d", "MONGODB_URL": "mongodb://h"}
    with pytest.raises(SettingsError, match=f"{name} cannot be read"):
        settings_from({**urls, name: str(tmp_path / "nowhere")})
