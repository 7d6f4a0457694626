"""TLS to the three stores: verified with a private authority, and refused when anything is off."""

import os
import shutil
import socket
import subprocess
import time
from contextlib import closing, suppress

import psycopg
import pytest

from agentruns.models import LogEntry
from apps.stack import Stack
from apps.stack.minio_program import find_minio
from apps.stack.mongod_program import find_mongod
from apps.stack.ports import kept_ports
from apps.stack.postgres_home import PostgresHome
from storage.errors import AccessDenied, SettingsError, StorageError, StoreUnavailable
from storage.minio import MinIOAdapter
from storage.mongo import MongoAdapter
from storage.postgres import PostgresAdapter
from storage.settings import settings_from
from tests.security.certificates import Authority

pytestmark = pytest.mark.slow

LOGIN = {"MINIO_ACCESS_KEY": "tester", "MINIO_SECRET_KEY": "not-a-secret-of-anybody"}


@pytest.fixture(scope="module")
def authority(short_folders):
    return Authority(short_folders / "ca", "ca")


@pytest.fixture(scope="module")
def stranger(short_folders):
    return Authority(short_folders / "stranger", "stranger")


@pytest.fixture(scope="module")
def ports(short_folders):
    names = ("mongo", "elsewhere", "minio", "minio-elsewhere", "minio-expired")
    return kept_ports(short_folders / "ports.json", names)


def started(command, **environment):
    return subprocess.Popen(
        [str(part) for part in command],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def becomes_healthy(adapter, seconds=30):
    until = time.monotonic() + seconds
    while not (health := adapter.health_check()).healthy and time.monotonic() < until:
        time.sleep(0.2)
    return health


def listens(port, seconds=30):
    """Wait for a server that no client of ours is to reach."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
            return
        time.sleep(0.1)


# MongoDB -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mongods(short_folders, authority, ports):
    """One whose certificate is right, one whose is another host's; none takes one that is over."""
    certificates = {
        "mongo": authority.issue("mongo"),
        "elsewhere": authority.issue("elsewhere", host="elsewhere.example.org"),
    }
    found, running = find_mongod(), []
    for name, (_, _, both) in certificates.items():
        data = short_folders / f"data-{name}"
        data.mkdir()
        command = [found.path, "--dbpath", data, "--port", ports[name], "--bind_ip", "127.0.0.1"]
        command += ["--tlsMode", "requireTLS", "--tlsCertificateKeyFile", both]
        command += ["--tlsCAFile", authority.file, "--unixSocketPrefix", short_folders]
        running.append(started(command))
    yield
    for process in running:
        process.kill()
        process.wait()


def mongo(ports, name="mongo", host="127.0.0.1", **files):
    told = {f"MONGODB_{kind}_FILE": str(path) for kind, path in files.items()}
    url = f"mongodb://{host}:{ports[name]}"
    return MongoAdapter("tls", settings=settings_from({"MONGODB_URL": url, **told}))


@pytest.fixture(scope="module")
def client(authority):
    return authority.issue("client")


def test_mongodb_is_reached_with_the_right_authority(mongods, ports, authority, client):
    with mongo(ports, CA=authority.file, CERTIFICATE=client[2]) as adapter:
        assert becomes_healthy(adapter).healthy
        entry = LogEntry(agent_id="tls", message="by TLS")
        adapter.write_log(entry)
        assert [one.id for one in adapter.read_logs()] == [entry.id]


def test_mongodb_of_another_name_is_refused(mongods, ports, authority, client):
    with mongo(ports, "elsewhere", CA=authority.file, CERTIFICATE=client[2]) as adapter:
        with pytest.raises(AccessDenied, match="MONGODB_CA_FILE"):
            adapter.read_logs()
        assert "MONGODB_CA_FILE" in adapter.health_check().detail


def test_mongodb_of_another_authority_is_refused(mongods, ports, stranger, client):
    with (
        mongo(ports, CA=stranger.file, CERTIFICATE=client[2]) as adapter,
        pytest.raises(AccessDenied, match="MONGODB_CA_FILE"),
    ):
        adapter.read_logs()


def test_mongodb_refuses_who_comes_without_tls_or_certificate(mongods, ports, authority):
    with mongo(ports) as plain, pytest.raises(StoreUnavailable):
        plain.read_logs()
    with mongo(ports, CA=authority.file) as nobody, pytest.raises(StorageError):
        nobody.read_logs()


# MinIO -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def minios(short_folders, authority, ports):
    issued = {
        "minio": authority.issue("minio"),
        "minio-elsewhere": authority.issue("minio-elsewhere", host="elsewhere.example.org"),
        "minio-expired": authority.issue("minio-expired", days=-1),
    }
    running = []
    for name, (certificate, key, _) in issued.items():
        certificates = short_folders / f"certs-{name}"
        certificates.mkdir()
        shutil.copy(certificate, certificates / "public.crt")
        shutil.copy(key, certificates / "private.key")
        for bucket in ("binaries", "screenshots"):
            (short_folders / f"data-{name}" / bucket).mkdir(parents=True)
        command = [find_minio(print), "server", short_folders / f"data-{name}", "--certs-dir"]
        command += [certificates, "--address", f"127.0.0.1:{ports[name]}", "--quiet"]
        login = {"MINIO_ROOT_USER": "tester", "MINIO_ROOT_PASSWORD": LOGIN["MINIO_SECRET_KEY"]}
        running.append(started(command, **login))
    for name in issued:
        listens(ports[name])
    yield
    for process in running:
        process.kill()
        process.wait()


def minio(ports, ca=None, name="minio", **more):
    told = {"MINIO_ENDPOINT": f"127.0.0.1:{ports[name]}", **LOGIN, **more}
    told |= {"MINIO_CA_FILE": str(ca)} if ca else {}
    return MinIOAdapter("tls", settings=settings_from(told))


def test_minio_is_reached_with_the_right_authority(minios, ports, authority):
    with minio(ports, authority.file) as adapter:
        assert becomes_healthy(adapter).healthy
        path = adapter.upload_file(b"by TLS", filename="a.txt")
        assert adapter.download("binaries", path) == b"by TLS"


@pytest.mark.parametrize("name", ["minio", "minio-elsewhere", "minio-expired"])
def test_minio_is_refused_when_its_certificate_does_not_verify(
    minios, ports, authority, stranger, name
):
    with minio(ports, authority.file) as adapter:
        becomes_healthy(adapter)
    ca = stranger.file if name == "minio" else authority.file
    with minio(ports, ca, name) as adapter, pytest.raises(StorageError, match="MINIO_CA_FILE"):
        adapter.download("binaries", "tls/no-task/a")
    with minio(ports, name=name) as adapter, pytest.raises(StorageError, match="MINIO_CA_FILE"):
        adapter.download("binaries", "tls/no-task/a")


def test_minio_refuses_who_comes_without_tls(minios, ports, authority):
    with minio(ports, authority.file) as adapter:
        becomes_healthy(adapter)
    with minio(ports, MINIO_SECURE="false") as adapter, pytest.raises(StorageError):
        adapter.download("binaries", "tls/no-task/a")


# PostgreSQL --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tls_stack(short_folders, authority):
    """Servers of our own, whose PostgreSQL speaks TLS only, to its owner by certificate."""
    stack = Stack(short_folders / "home")
    try:
        stack.up(prefect=False)
        _speak_tls_only(stack, authority)
        yield stack
    finally:
        stack.reset()


def _speak_tls_only(stack, authority):
    site = stack._known_site()
    data = PostgresHome.of(site.folders).data
    certificate, key, _ = authority.issue("postgres")
    owner = data.stat()
    for source, name in ((certificate, "tls.crt"), (key, "tls.key"), (authority.file, "tls.ca")):
        shutil.copy(source, data / name)
        os.chown(data / name, owner.st_uid, owner.st_gid)
        (data / name).chmod(0o600)
    (data / "pg_hba.conf").write_text(
        "hostssl all agentruns all scram-sha-256 clientcert=verify-full\n"
        "hostssl all all all scram-sha-256\n"
    )
    superuser = f"postgres:{site.credentials.postgres_superuser_password}"
    url = f"postgresql://{superuser}@{site.address('postgres')}/postgres"
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        if not _knows_tls(connection):
            pytest.skip("this machine's PostgreSQL was built without TLS")
        for name, value in (("cert", "tls.crt"), ("key", "tls.key"), ("ca", "tls.ca")):
            connection.execute(f"ALTER SYSTEM SET ssl_{name}_file = '{value}'")
        connection.execute("ALTER SYSTEM SET ssl = on")
        connection.execute("SELECT pg_reload_conf()")
    time.sleep(1)


def _knows_tls(connection):
    return bool(connection.execute("SHOW ssl_library").fetchall()[0][0])


def postgres(stack, name="POSTGRES_URL", **files):
    told = {f"POSTGRES_{kind}_FILE": str(path) for kind, path in files.items()}
    url = stack.environment()[name]
    settings = settings_from({"POSTGRES_URL": url, **told})
    return PostgresAdapter(settings.required("postgres_url"))


def test_postgresql_is_reached_with_the_right_authority(tls_stack, authority):
    with postgres(tls_stack, CA=authority.file) as adapter:
        assert becomes_healthy(adapter).healthy
        task = adapter.create_task(agent_id="tls", title="by TLS")
        assert adapter.get_task(task.id).title == "by TLS"
        with adapter.connection() as connection:
            used = connection.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
            assert used.fetchall() == [(True,)]


def test_postgresql_of_another_authority_is_refused(tls_stack, stranger):
    with postgres(tls_stack, CA=stranger.file) as adapter:
        with pytest.raises(AccessDenied, match="POSTGRES_CA_FILE"):
            adapter.get_tasks()
        assert "POSTGRES_CA_FILE" in adapter.health_check().detail


def test_postgresql_under_another_name_is_refused(tls_stack, authority):
    url = tls_stack.environment()["POSTGRES_URL"].replace("@127.0.0.1", "@127.0.0.2")
    told = {"POSTGRES_URL": url, "POSTGRES_CA_FILE": str(authority.file)}
    # 127.0.0.2 is not in the certificate; nobody listens there, so the address is said apart.
    told["POSTGRES_URL"] += "?hostaddr=127.0.0.1"
    with (
        PostgresAdapter(settings_from(told).required("postgres_url")) as adapter,
        pytest.raises(AccessDenied, match="POSTGRES_CA_FILE"),
    ):
        adapter.get_tasks()


def test_postgresql_refuses_who_comes_without_tls(tls_stack):
    url = tls_stack.environment()["POSTGRES_URL"]
    with PostgresAdapter(f"{url}?sslmode=disable") as adapter, pytest.raises(AccessDenied):
        adapter.get_tasks()


def test_postgresql_asks_for_a_certificate_where_it_is_told_to(tls_stack, authority):
    certificate, key, _ = authority.issue("agentruns")
    with (
        postgres(tls_stack, "POSTGRES_OWNER_URL", CA=authority.file) as nobody,
        pytest.raises(AccessDenied),
    ):
        nobody.get_tasks()
    files = {"CA": authority.file, "CERTIFICATE": certificate, "KEY": key}
    with postgres(tls_stack, "POSTGRES_OWNER_URL", **files) as owner:
        assert owner.health_check().healthy


def test_postgresql_is_verified_with_the_machines_own_authorities(
    tls_stack, authority, stranger, monkeypatch
):
    url = f"{tls_stack.environment()['POSTGRES_URL']}?sslmode=verify-full&sslrootcert=system"
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    with PostgresAdapter(url) as adapter:
        assert adapter.health_check().healthy
    monkeypatch.setenv("SSL_CERT_FILE", str(stranger.file))
    with PostgresAdapter(url) as adapter, pytest.raises(AccessDenied, match="POSTGRES_CA_FILE"):
        adapter.get_tasks()


def test_less_than_the_authority_means_is_refused(tls_stack, authority):
    url = f"{tls_stack.environment()['POSTGRES_URL']}?sslmode=prefer"
    with pytest.raises(SettingsError, match="POSTGRES_CA_FILE"):
        settings_from({"POSTGRES_URL": url, "POSTGRES_CA_FILE": str(authority.file)})
