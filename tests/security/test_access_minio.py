"""MinIO itself keeps everybody where they belong: minio-py and urllib, and each one's own key.

Every attack is made on one's own objects as well, where it works: a slip in a call cannot pass for
a refusal.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from io import BytesIO
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from uuid import uuid4
from xml.etree import ElementTree as ET

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from minio import Minio, MinioAdmin
from minio.commonconfig import CopySource, Tags
from minio.credentials import AssumeRoleProvider
from minio.credentials.providers import StaticProvider
from minio.deleteobjects import DeleteObject
from minio.retention import COMPLIANCE, GOVERNANCE, Retention

from agentruns.models.values import AGENT_ID_PATTERN
from apps.stack import Stack
from storage.access.keys import new_key
from storage.access.minio import MinioAccess
from storage.errors import AccessDenied
from storage.minio import MinIOAdapter, make_buckets
from storage.settings import Settings
from tests import counted_attacks
from tests.security.minio_access import BUCKETS, CONTENT, Store, raw, refusal, tar, unpacked

pytestmark = [
    pytest.mark.usefixtures("restored_components"),
    pytest.mark.promise(1, by="MinIO"),
]

#: On one agent's objects in a bucket, as whoever the client is.
Call = Callable[[Minio, str, str], object]
#: The same from an agent's objects to another's.
Crossing = Callable[[Minio, str, str, str], object]

VALID_IDS = st.from_regex(AGENT_ID_PATTERN, fullmatch=True)
FEW = hypothesis_settings(
    max_examples=4,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def store(stack: Stack) -> Iterator[Store]:
    """MinIO with what is needed to let somebody in."""
    given = {name.lower(): value for name, value in stack.environment().items()}
    settings = Settings.model_validate(given)
    make_buckets(settings)
    with ExitStack() as opened:
        yield Store(settings, MinioAccess(settings), opened)


@pytest.fixture
def frontend(store: Store, agent_id: str) -> tuple[str, str]:
    """The frontend's key and secret."""
    key = f"f{agent_id}", uuid4().hex
    store.access.ensure_frontend(*key)
    return key


def status_of(url: str, method: str = "GET", headers: dict[str, str] | None = None) -> int:
    data = b"x" if method == "PUT" else None
    try:
        with urlopen(Request(url, data, headers or {}, method=method), timeout=10) as answer:  # noqa: S310 - MinIO's own address
            counted_attacks.allowed("MinIO")
            return int(answer.status)
    except HTTPError as error:
        counted_attacks.refused("MinIO")
        return int(error.code)


def in_parts(client: Minio, bucket: str, agent: str) -> object:
    answer = raw(client, "POST", bucket, f"{agent}/m.png", query_params={"uploads": ""})
    upload = ET.fromstring(answer.data).findtext("{*}UploadId")  # noqa: S314 - MinIO's own answer
    part = {"uploadId": str(upload), "partNumber": "1"}
    return raw(client, "PUT", bucket, f"{agent}/m.png", body=b"part", query_params=part)


CALLS: dict[str, Call] = {
    "get": lambda c, b, a: c.get_object(b, f"{a}/x.png").read(),
    "get a part": lambda c, b, a: c.get_object(b, f"{a}/x.png", offset=1, length=2).read(),
    "get a version": lambda c, b, a: c.get_object(b, f"{a}/x.png", version_id="null").read(),
    "stat": lambda c, b, a: c.stat_object(b, f"{a}/x.png"),
    "put": lambda c, b, a: Store.put(c, b, f"{a}/new.png", b"x"),
    "overwrite": lambda c, b, a: Store.put(c, b, f"{a}/x.png", b"x"),
    "put in parts": in_parts,
    "delete": lambda c, b, a: c.remove_object(b, f"{a}/x.png"),
}


@pytest.mark.parametrize("bucket", BUCKETS)
@pytest.mark.parametrize("call", CALLS)
def test_an_agent_does_with_its_objects_what_it_may_not_with_another_s(
    store: Store, agent_id: str, call: str, bucket: str
) -> None:
    client = store.agent(agent_id)
    others = [f"{agent_id}x", agent_id[:-1], f"{agent_id}-1"]
    for other in others:
        store.agent(other)
        assert refusal(lambda name=other: CALLS[call](client, bucket, name)) == "AccessDenied"
    for other in others:
        content = store.operator.get_object(bucket, f"{other}/x.png").read()
        assert content == CONTENT + other.encode()
    CALLS[call](client, bucket, agent_id)
    counted_attacks.allowed("MinIO")


CROSSINGS: dict[str, Crossing] = {
    "copy": lambda c, b, a, to: c.copy_object(b, f"{to}/c.png", CopySource(b, f"{a}/x.png")),
    "copy a version": lambda c, b, a, to: c.copy_object(
        b, f"{to}/c.png", CopySource(b, f"{a}/x.png", version_id="null")
    ),
    "copy between buckets": lambda c, b, a, to: c.copy_object(
        next(other for other in BUCKETS if other != b), f"{to}/c.png", CopySource(b, f"{a}/x.png")
    ),
    "copy a part": lambda c, b, a, to: copied_part(c, b, f"{a}/x.png", f"{to}/c.png"),
}


def copied_part(client: Minio, bucket: str, source: str, target: str) -> object:
    answer = raw(client, "POST", bucket, target, query_params={"uploads": ""})
    upload = ET.fromstring(answer.data).findtext("{*}UploadId")  # noqa: S314 - MinIO's own answer
    part = {"uploadId": str(upload), "partNumber": "1"}
    headers = {"x-amz-copy-source": f"/{bucket}/{source}"}
    return raw(client, "PUT", bucket, target, query_params=part, headers=headers)


@pytest.mark.parametrize("crossing", CROSSINGS)
def test_nothing_is_copied_from_or_to_another_s_objects(
    store: Store, agent_id: str, crossing: str
) -> None:
    client, other = store.agent(agent_id), f"{agent_id}x"
    store.agent(other)
    for source, target in ((other, agent_id), (agent_id, other)):
        for bucket in BUCKETS:
            attack = lambda b=bucket, s=source, t=target: CROSSINGS[crossing](client, b, s, t)  # noqa: E731
            assert refusal(attack) == "AccessDenied"
    CROSSINGS[crossing](client, "screenshots", agent_id, agent_id)


def test_deleting_many_at_once_leaves_another_s_where_they_are(store: Store, agent_id: str) -> None:
    client, other = store.agent(agent_id), f"{agent_id}x"
    store.agent(other)
    names = [DeleteObject(f"{each}/x.png") for each in (agent_id, other)]
    errors = list(client.remove_objects("screenshots", names))
    assert [(error.name, error.code) for error in errors] == [(f"{other}/x.png", "AccessDenied")]
    assert refusal(lambda: store.operator.stat_object("screenshots", f"{agent_id}/x.png"))
    assert store.operator.stat_object("screenshots", f"{other}/x.png")


LISTINGS: dict[str, Callable[[Minio, str, str], object]] = {
    "by its own prefix": lambda c, b, a: list(c.list_objects(b, f"{a}/", recursive=True)),
    "everything": lambda c, b, _: list(c.list_objects(b)),
    "in the old way": lambda c, b, a: list(c.list_objects(b, f"{a}/", use_api_v1=True)),
    "versions": lambda c, b, a: list(c.list_objects(b, f"{a}/", include_version=True)),
    "uploads": lambda c, b, a: c._list_multipart_uploads(b, prefix=f"{a}/"),
    # MinIO reads a condition on `s3:prefix` from this header, and lists by the parameter.
    "by a header": lambda c, b, a: list(
        c.list_objects(b, f"{a}x/", recursive=True, extra_headers={"Prefix": f"{a}/x"})
    ),
}


@pytest.mark.parametrize("listing", LISTINGS)
def test_only_the_operator_lists(
    store: Store, agent_id: str, frontend: tuple[str, str], listing: str
) -> None:
    store.agent(f"{agent_id}x")
    for client in (store.agent(agent_id), store.client(*frontend)):
        for bucket in BUCKETS:
            attack = lambda c=client, b=bucket: LISTINGS[listing](c, b, agent_id)  # noqa: E731
            assert refusal(attack) == "AccessDenied"
    LISTINGS[listing](store.operator, "screenshots", agent_id)


def test_a_right_to_list_one_s_own_prefix_would_list_everybody_s(
    store: Store, agent_id: str
) -> None:
    """Why there is none: when this fails, the server has been mended."""
    store.agent(f"{agent_id}x")
    key = store.granted(agent_id)
    admin, name = store.admin(*store.root), f"lists-{agent_id}"
    condition = {"StringLike": {"s3:prefix": [f"{agent_id}/*"]}}
    statement = {
        "Effect": "Allow",
        "Action": ["s3:ListBucket"],
        "Resource": ["arn:aws:s3:::screenshots"],
        "Condition": condition,
    }
    store.opened.callback(admin.policy_remove, name)
    admin.policy_add(name, policy={"Version": "2012-10-17", "Statement": [statement]})
    admin.policy_set(name, user=key.minio_access_key)
    store.opened.callback(admin.user_remove, key.minio_access_key)
    client = store.connected(key)
    theirs = f"{agent_id}x/"
    assert refusal(lambda: list(client.list_objects("screenshots", theirs))) == "AccessDenied"
    spoofed = {"Prefix": f"{agent_id}/x"}
    [found] = client.list_objects("screenshots", theirs, extra_headers=spoofed)
    assert found.object_name == f"{theirs}x.png"


@pytest.mark.promise(9, by="MinIO")
@pytest.mark.parametrize(
    "name",
    [
        "{own}/../{other}/x.png",
        "{own}/./../{other}/x.png",
        "{own}//../{other}/x.png",
        "/{other}/x.png",
        "./{other}/x.png",
        "{own}/..%2F{other}/x.png",
        "{own}\\..\\{other}\\x.png",
    ],
)
def test_no_name_leads_out_of_one_s_own_prefix(store: Store, agent_id: str, name: str) -> None:
    client, other = store.agent(agent_id), f"{agent_id}x"
    store.agent(other)
    path = name.format(own=agent_id, other=other)
    assert refusal(lambda: raw(client, "GET", "screenshots", path))
    refusal(lambda: raw(client, "PUT", "screenshots", path, body=b"stolen"))
    content = store.operator.get_object("screenshots", f"{other}/x.png").read()
    assert content == CONTENT + other.encode()
    assert raw(client, "GET", "screenshots", f"{agent_id}/x.png").status == 200


BUCKET_RIGHTS: dict[str, Callable[[Minio, str], object]] = {
    "all buckets": lambda c, _: c.list_buckets(),
    "a new bucket": lambda c, b: c.make_bucket(f"new-{b}"),
    "no bucket": lambda c, b: c.remove_bucket(b),
    "its policy": lambda c, b: c.get_bucket_policy(b),
    "another policy": lambda c, b: c.set_bucket_policy(b, "{}"),
    "no policy": lambda c, b: c.delete_bucket_policy(b),
    "its versions": lambda c, b: c.get_bucket_versioning(b),
    "its rules": lambda c, b: c.get_bucket_lifecycle(b),
    "no rules": lambda c, b: c.delete_bucket_lifecycle(b),
    "its messages": lambda c, b: c.get_bucket_notification(b),
    "no messages": lambda c, b: c.delete_bucket_notification(b),
    "its encryption": lambda c, b: c.get_bucket_encryption(b),
    "its copies": lambda c, b: c.get_bucket_replication(b),
    "its tags": lambda c, b: c.get_bucket_tags(b),
    "its locks": lambda c, b: c.get_object_lock_config(b),
    "hearing of others": lambda c, b: next(iter(c.listen_bucket_notification(b))),
}


@pytest.mark.promise(2, by="MinIO")
@pytest.mark.parametrize("right", BUCKET_RIGHTS)
def test_nobody_but_the_operator_rules_over_buckets(
    store: Store, agent_id: str, frontend: tuple[str, str], right: str
) -> None:
    for client in (store.agent(agent_id), store.client(*frontend)):
        for bucket in BUCKETS:
            attack = lambda c=client, b=bucket: BUCKET_RIGHTS[right](c, b)  # noqa: E731
            assert refusal(attack) == "AccessDenied"
    assert store.agent(agent_id).bucket_exists("screenshots")


ADMIN: dict[str, Callable[[MinioAdmin, str], object]] = {
    "users": lambda a, _: a.user_list(),
    "a user": lambda a, _: a.user_add("newcomer", "newcomer1"),
    "another secret": lambda a, me: a.user_add(me, "another-secret"),
    "about itself": lambda a, me: a.user_info(me),
    "its own end": lambda a, me: a.user_remove(me),
    "policies": lambda a, _: a.policy_list(),
    "a policy": lambda a, _: a.policy_add("all", policy={"Version": "2012-10-17", "Statement": []}),
    "every right": lambda a, me: a.policy_set("consoleAdmin", user=me),
    "one more right": lambda a, me: a.attach_policy(["readwrite"], user=me),
    "a key of its own": lambda a, _: a.add_service_account(name="spare"),
    "who has what": lambda a, _: a.get_policy_entities([], [], []),
    "the server": lambda a, _: a.info(),
    "a restart": lambda a, _: a.service_restart(),
    "how full it is": lambda a, _: a.get_data_usage_info(),
    "a quota": lambda a, _: a.bucket_quota_get("screenshots"),
}


@pytest.mark.promise(2, by="MinIO")
@pytest.mark.parametrize("command", ADMIN)
def test_nobody_but_the_operator_gives_rights(
    store: Store, agent_id: str, frontend: tuple[str, str], command: str
) -> None:
    for append_only in (False, True):
        key = store.granted(agent_id, append_only=append_only)
        name, secret = key.minio_access_key, key.secret.get_secret_value()
        agent = store.admin(name, secret)
        assert refusal(lambda a=agent, n=name: ADMIN[command](a, n)) == "AccessDenied"
        assert store.connected(key).stat_object("screenshots", f"{agent_id}/x.png")
    signs = store.admin(*frontend)
    assert refusal(lambda: ADMIN[command](signs, frontend[0])) == "AccessDenied"


@pytest.mark.promise(2, by="MinIO", control=True)
@pytest.mark.parametrize("command", ["users", "policies", "the server", "who has what"])
def test_the_operator_does(store: Store, command: str) -> None:
    ADMIN[command](store.admin(*store.root), store.root[0])


def test_a_temporary_key_may_no_more_than_the_one_it_comes_from_and_ends_with_it(
    store: Store, agent_id: str
) -> None:
    """MinIO gives one to every user, and no policy can refuse it."""
    key, other = store.granted(agent_id), f"{agent_id}x"
    store.agent(other)
    role = AssumeRoleProvider(
        sts_endpoint=f"http://{store.address}",
        access_key=key.minio_access_key,
        secret_key=key.secret.get_secret_value(),
        region="us-east-1",
    )
    kept = role.retrieve()
    token = StaticProvider(kept.access_key, kept.secret_key, kept.session_token)
    client = Minio(store.address, credentials=token, secure=False, region="us-east-1")
    own = f"{agent_id}/x.png"
    assert client.stat_object("screenshots", own)
    assert refusal(lambda: client.stat_object("screenshots", f"{other}/x.png")) == "AccessDenied"
    assert refusal(lambda: list(client.list_objects("screenshots", f"{agent_id}/")))
    store.access.revoke(key.key_id)
    assert refusal(lambda: client.stat_object("screenshots", own)) == "AccessDenied"


@pytest.mark.promise(10, by="MinIO")
def test_a_presigned_url_opens_no_more_than_who_signed_it_may(store: Store, agent_id: str) -> None:
    client, other = store.agent(agent_id), f"{agent_id}x"
    store.agent(other)
    assert status_of(client.presigned_get_object("screenshots", f"{agent_id}/x.png")) == 200
    assert status_of(client.presigned_get_object("screenshots", f"{other}/x.png")) == 403
    assert status_of(client.presigned_put_object("screenshots", f"{other}/x.png"), "PUT") == 403


@pytest.mark.promise(8, by="MinIO")
def test_the_frontend_shows_screenshots_and_does_nothing_else(
    store: Store, agent_id: str, frontend: tuple[str, str]
) -> None:
    store.agent(agent_id)
    client, name = store.client(*frontend), f"{agent_id}/x.png"
    assert client.get_object("screenshots", name).read() == CONTENT + agent_id.encode()
    assert refusal(lambda: client.get_object("binaries", name)) == "AccessDenied"
    for call in ("put", "overwrite", "put in parts", "delete"):
        for bucket in BUCKETS:
            attack = lambda c=call, b=bucket: CALLS[c](client, b, agent_id)  # noqa: E731
            assert refusal(attack) == "AccessDenied"
    for method, url in (
        ("PUT", client.presigned_put_object("screenshots", name)),
        ("DELETE", client.get_presigned_url("DELETE", "screenshots", name)),
        ("GET", client.presigned_get_object("binaries", name)),
    ):
        assert status_of(url, method) == 403
    assert status_of(client.presigned_get_object("screenshots", name)) == 200


@pytest.mark.promise(10, by="MinIO")
def test_a_new_frontend_ends_the_one_before_and_what_it_signed(
    store: Store, agent_id: str, frontend: tuple[str, str]
) -> None:
    store.agent(agent_id)
    url = store.client(*frontend).presigned_get_object("screenshots", f"{agent_id}/x.png")
    store.access.ensure_frontend(*frontend)
    assert status_of(url) == 200
    store.access.ensure_frontend(f"g{agent_id}", uuid4().hex)
    assert status_of(url) == 403


@pytest.mark.promise(11, by="MinIO")
def test_urls_are_signed_by_the_frontend_and_show_what_the_row_says(
    store: Store, agent_id: str, frontend: tuple[str, str]
) -> None:
    store.agent(agent_id)
    adapter = MinIOAdapter(agent_id, settings=store.with_signing(*frontend))
    path = f"{agent_id}/x.png"
    url = adapter.get_presigned_url("screenshots", path)
    assert frontend[0] in url
    assert "X-Amz-Expires=3600" in url
    assert store.root[0] not in url
    assert status_of(adapter.get_presigned_url("binaries", path)) == 403
    for told, shown, how in (
        (None, "image/png", "inline"),
        ("image/webp", "image/webp", "inline"),
        ("text/html", "application/octet-stream", "attachment"),
        ("image/svg+xml", "application/octet-stream", "attachment"),
    ):
        url = adapter.get_presigned_url("screenshots", path, content_type=told)
        with urlopen(url, timeout=10) as answer:  # noqa: S310 - MinIO's own address
            assert answer.headers["Content-Type"] == shown
            assert answer.headers["Content-Disposition"] == how
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
    for seconds in (0, 7 * 24 * 3600 + 1):
        with pytest.raises(ValueError, match="a week"):
            adapter.get_presigned_url("screenshots", path, seconds)


def test_nobody_without_a_key_gets_anything(store: Store, agent_id: str) -> None:
    key = store.granted(agent_id)
    url = f"http://{store.address}/screenshots/{agent_id}/x.png"
    for method in ("GET", "HEAD", "PUT", "DELETE"):
        assert status_of(url, method) == 403
    name, secret = key.minio_access_key, key.secret.get_secret_value()
    for pair in ((name, "a wrong secret"), (key.key_id, secret), ("agentruns_evaluator", secret)):
        wrong = store.client(*pair)
        refused = refusal(lambda c=wrong: c.stat_object("screenshots", f"{agent_id}/x.png"))
        assert refused in {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"}
    assert store.client(name, secret).stat_object("screenshots", f"{agent_id}/x.png")


@pytest.mark.promise(8, by="MinIO")
def test_the_evaluator_has_no_user(store: Store) -> None:
    users = json.loads(store.admin(*store.root).user_list())
    assert not [name for name in users if "evaluator" in name]
    policies = json.loads(store.admin(*store.root).policy_list())
    assert not [name for name in policies if "evaluator" in name]


@pytest.mark.parametrize("prefix", [None, "{own}", "{own}/deeper", "{other}", ""])
@pytest.mark.parametrize("member", ["n.png", "../{other}/n.png", "{own}/n.png", "/{other}/n.png"])
def test_the_store_unpacks_no_archive(
    store: Store, agent_id: str, prefix: str | None, member: str
) -> None:
    other = f"{agent_id}x"
    store.agent(other)
    below = None if prefix is None else prefix.format(own=agent_id, other=other)
    archive = tar([member.format(own=agent_id, other=other)])
    before = names(store, agent_id)
    for append_only in (False, True):
        client = store.agent(agent_id, append_only=append_only)
        attack = lambda c=client: unpacked(c, "screenshots", f"{agent_id}/a.tar", below, archive)  # noqa: E731
        assert refusal(attack) == "AccessDenied"
    assert names(store, agent_id) == before | {f"{agent_id}/x.png"}
    # As it is, the archive may be kept; and the operator's are unpacked, so the attack is one.
    Store.put(client, "screenshots", f"{agent_id}/a.tar", archive)
    unpacked(store.operator, "screenshots", "a.tar", agent_id, tar(["n.png"]))
    assert f"{agent_id}/n.png" in names(store, agent_id)


def names(store: Store, prefix: str) -> set[str]:
    found = store.operator.list_objects("screenshots", prefix, recursive=True)
    return {str(item.object_name) for item in found}


#: A chunked body whose chunks nobody signs.
UNSIGNED = b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"


def unsigned_write(store: Store, access_key: str, path: str) -> int:
    """CVE-2026-41145: the name of a key in the address, and any signature at all."""
    now = datetime.now(UTC)
    scope = f"{access_key}%2F{now:%Y%m%d}%2Fus-east-1%2Fs3%2Faws4_request"
    query = (
        f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={scope}&X-Amz-Expires=3600"
        f"&X-Amz-Date={now:%Y%m%dT%H%M%SZ}&X-Amz-SignedHeaders=host&X-Amz-Signature=00"
    )
    headers = {
        "X-Amz-Content-Sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "X-Amz-Decoded-Content-Length": "5",
        "X-Amz-Trailer": "x-amz-checksum-crc32",
        "Content-Encoding": "aws-chunked",
    }
    url = f"http://{store.address}/screenshots/{path}?{query}"
    try:
        with urlopen(Request(url, UNSIGNED, headers, method="PUT"), timeout=10) as answer:
            counted_attacks.allowed("MinIO")
            return int(answer.status)
    except HTTPError as error:
        counted_attacks.refused("MinIO")
        return int(error.code)


def test_what_others_may_know_of_a_key_writes_nothing_by_the_server_s_open_hole(
    store: Store, agent_id: str, frontend: tuple[str, str]
) -> None:
    key, path = store.granted(agent_id), f"{agent_id}/forged.png"
    assert unsigned_write(store, key.key_id, path) == 403
    assert unsigned_write(store, frontend[0], path) == 403
    # Why the name of a key in MinIO is kept like its secret: when this fails, the hole is closed.
    assert unsigned_write(store, key.minio_access_key, path) == 200
    assert unsigned_write(store, key.minio_access_key, f"{agent_id}x/forged.png") == 403


def test_a_revoked_key_opens_nothing_any_more_and_its_url_neither(
    store: Store, agent_id: str
) -> None:
    first, second = store.granted(agent_id), store.granted(agent_id)
    client, path = store.connected(first), f"{agent_id}/x.png"
    url = client.presigned_get_object("screenshots", path)
    assert status_of(url) == 200
    start = time.monotonic()
    store.access.revoke(first.key_id)
    assert refusal(lambda: client.stat_object("screenshots", path)) == "AccessDenied"
    assert refusal(lambda: Store.put(client, "screenshots", path, b"x")) == "InvalidAccessKeyId"
    assert status_of(url) == 403
    assert time.monotonic() - start < 2
    store.access.revoke(first.key_id)  # repeatable
    assert store.connected(second).stat_object("screenshots", path)
    users = json.loads(store.admin(*store.root).user_list())
    assert second.minio_access_key in users
    assert first.minio_access_key not in users


def test_an_append_only_agent_deletes_nothing(store: Store, agent_id: str) -> None:
    path, full = f"{agent_id}/x.png", f"{agent_id}f"
    client = store.agent(agent_id, append_only=True)
    for version in (None, "null"):
        attack = lambda v=version: client.remove_object("screenshots", path, version_id=v)  # noqa: E731
        assert refusal(attack) == "AccessDenied"
    [error] = client.remove_objects("screenshots", [DeleteObject(path)])
    assert error.code == "AccessDenied"
    assert refusal(lambda: client.set_object_tags("screenshots", path, Tags())) == "AccessDenied"
    assert client.get_object("screenshots", path).read() == CONTENT + agent_id.encode()
    Store.put(client, "screenshots", f"{agent_id}/new.png", b"new")
    store.agent(full).remove_object("screenshots", f"{full}/x.png")


def test_what_an_append_only_agent_overwrites_no_longer_has_the_hash_in_its_name(
    store: Store, agent_id: str
) -> None:
    """It can: nothing on this server prevents it that leaves the operator a way to delete."""
    adapter = MinIOAdapter(agent_id, settings=store.settings)
    file = adapter.upload_screenshot(CONTENT).file
    client = store.agent(agent_id, append_only=True)
    Store.put(client, "screenshots", file.object_path, b"something else")
    details = adapter.stat("screenshots", file.object_path)
    assert file.sha256 in file.object_path
    assert details.info.etag != file.etag
    assert details.info.size != file.size_bytes


@pytest.mark.parametrize("condition", ["if-none-match", "If-None-Match", "x-amz-if-none-match"])
def test_no_policy_can_ask_for_new_names_only(store: Store, condition: str) -> None:
    admin = store.admin(*store.root)
    statement = {
        "Effect": "Allow",
        "Action": ["s3:PutObject"],
        "Resource": ["arn:aws:s3:::screenshots/*"],
        "Condition": {"Null": {f"s3:{condition}": "false"}},
    }
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    assert refusal(lambda: admin.policy_add("new-names", policy=policy)) == "400"


@pytest.fixture
def locked(store: Store, agent_id: str) -> Iterator[str]:
    """A bucket with versions and locks, which ours have not; an agent may put there."""
    bucket = f"locks-{agent_id}"
    store.operator.make_bucket(bucket, object_lock=True)
    yield bucket
    for item in store.operator.list_objects(bucket, recursive=True, include_version=True):
        version = DeleteObject(str(item.object_name), item.version_id)
        list(store.operator.remove_objects(bucket, [version], bypass_governance_mode=True))
    store.operator.remove_bucket(bucket)


@pytest.mark.parametrize(
    ("keeping", "keeps"), [("versions", False), ("governance", False), ("compliance", True)]
)
def test_only_a_lock_that_binds_the_operator_too_keeps_a_version(
    store: Store, agent_id: str, locked: str, keeping: str, keeps: bool
) -> None:
    """Why append-only agents are not kept from overwriting by the store."""
    key, admin = store.granted(agent_id), store.admin(*store.root)
    statement = {
        "Effect": "Allow",
        "Action": ["s3:GetObject", "s3:PutObject"],
        "Resource": [f"arn:aws:s3:::{locked}/*"],
    }
    store.opened.callback(admin.policy_remove, locked)
    admin.policy_add(locked, policy={"Version": "2012-10-17", "Statement": [statement]})
    admin.policy_set(locked, user=key.minio_access_key)
    store.opened.callback(admin.user_remove, key.minio_access_key)
    mode = {"governance": GOVERNANCE, "compliance": COMPLIANCE}.get(keeping)
    until = datetime.now(UTC) + timedelta(seconds=5)
    first = put_kept(store.operator, locked, Retention(mode, until) if mode else None)
    client = store.connected(key)
    Store.put(client, locked, "x", b"second")
    attack = {"body": b"forged", "query_params": {"versionId": first}}
    assert bool(refusal(lambda: raw(client, "PUT", locked, "x", **attack))) is keeps
    version = store.operator.get_object(locked, "x", version_id=first).read()
    assert version == (b"first" if keeps else b"forged")
    time.sleep(max(0.0, (until - datetime.now(UTC)).total_seconds()))


def put_kept(client: Minio, bucket: str, retention: Retention | None) -> str:
    result = client.put_object(bucket, "x", BytesIO(b"first"), 5, retention=retention)
    return str(result.version_id)


@FEW
@given(first=VALID_IDS, second=VALID_IDS)
def test_of_any_two_agents_neither_reads_or_writes_the_other_s(
    store: Store, first: str, second: str
) -> None:
    if first == second:
        second = f"{first[:56]}{'y' if first.endswith('x') else 'x'}"
    with ExitStack() as opened:
        pair = store._replace(opened=opened)
        clients = {name: pair.agent(name) for name in (first, second)}
        for own, other in ((first, second), (second, first)):
            assert clients[own].stat_object("screenshots", f"{own}/x.png")
            theirs = f"{other}/x.png"
            read = lambda c=clients[own], n=theirs: c.get_object("screenshots", n)  # noqa: E731
            write = lambda c=clients[own], n=theirs: Store.put(c, "screenshots", n, b"")  # noqa: E731
            assert refusal(read) == refusal(write) == "AccessDenied"


@pytest.mark.promise(14, by="us")
def test_no_secret_of_a_key_is_in_what_goes_wrong(store: Store, agent_id: str) -> None:
    key = new_key(agent_id)
    wrong = store.settings.model_copy(update={"minio_secret_key": key.secret})
    with pytest.raises(AccessDenied) as refused:
        MinioAccess(wrong).grant(key)
    told = f"{refused.value!r} {refused.value.__cause__!r}"
    assert "MinIO" in told
    assert key.secret.get_secret_value() not in told
    assert key.minio_access_key not in told
    assert store.root[0] not in told
