"""Whether records keep flowing: tasks that fell silent, tasks that nobody judged, a picture."""

from datetime import datetime, timedelta
from typing import NamedTuple
from urllib.error import URLError
from urllib.request import urlopen
from uuid import UUID

from agentruns.models import Bucket, Health, StoredFile, utcnow
from storage.errors import RecordNotFound, StorageError, StoreUnavailable
from storage.health import timed_health
from storage.minio import MinIOAdapter
from storage.postgres import PostgresAdapter
from storage.postgres.queries import query

#: A running agent says something more often than this.
SILENCE = timedelta(minutes=30)
#: Four passes of the evaluator, as it is scheduled.
LAG = timedelta(hours=1)
#: Older tasks without a verdict are no matter for an alarm.
LOOK_BACK = timedelta(days=7)
SILENT, LAGGING, LINK = "silent tasks", "evaluation lag", "presigned URL"
MOST_TOLD = 5
QUERY_SECONDS = 5.0
FETCH_SECONDS = 5.0


class PipelineError(StorageError):
    """Everything answers, and yet something is wrong; the message says what to do."""


class DatedTask(NamedTuple):
    """A task and when it was heard of last."""

    task_id: UUID
    at: datetime


def silent_tasks(postgres: PostgresAdapter, silence: timedelta = SILENCE) -> Health:
    """Whether every task in progress gave a sign of life lately."""
    return timed_health(SILENT, lambda: _silent(postgres, silence), QUERY_SECONDS)


def evaluation_lag(postgres: PostgresAdapter, lag: timedelta = LAG) -> Health:
    """Whether every task that ended a while ago has a verdict."""
    return timed_health(LAGGING, lambda: _lag(postgres, lag), QUERY_SECONDS)


def picture_link(postgres: PostgresAdapter, minio: MinIOAdapter) -> Health:
    """Whether a presigned address of the newest screenshot gives the whole picture."""
    return timed_health(LINK, lambda: _fetch_newest(postgres, minio), FETCH_SECONDS)


def _silent(postgres: PostgresAdapter, silence: timedelta) -> str:
    given = {"seconds": silence.total_seconds(), "rows": MOST_TOLD}
    found = _tasks(postgres, "silent_tasks", given)
    if not found:
        return "Every task in progress gave a sign of life lately."
    some = "at least " if len(found) == MOST_TOLD else ""
    raise PipelineError(
        f"Nothing was heard for {in_words(silence)} of {some}{len(found)} tasks in progress, such "
        f"as {found[0].task_id} (silent for {in_words(utcnow() - found[0].at)}); look at their "
        "agents."
    )


def _lag(postgres: PostgresAdapter, lag: timedelta) -> str:
    found = _tasks(postgres, "oldest_unevaluated_task", {"days": LOOK_BACK.days})
    if not found:
        return "Every task that ended has a verdict."
    waiting = utcnow() - found[0].at
    if waiting <= lag:
        return f"The oldest task without a verdict ended {in_words(waiting)} ago."
    raise PipelineError(
        f"The task {found[0].task_id} ended {in_words(waiting)} ago and has no verdict; "
        "run 'agentruns evaluate', and see whether the schedule of evaluate-tasks runs."
    )


def _fetch_newest(postgres: PostgresAdapter, minio: MinIOAdapter) -> str:
    newest = postgres.get_binary_files(bucket=Bucket.SCREENSHOTS, limit=1).items
    if not newest:
        return "There is no screenshot to fetch yet."
    size = _fetched(minio, newest[0])
    if size != newest[0].size_bytes:
        raise PipelineError(
            f"The screenshot {newest[0].id} should have {newest[0].size_bytes} bytes and has "
            f"{size}; compare objects and metadata."
        )
    return f"A presigned URL gave a screenshot of {size} bytes."


def _fetched(minio: MinIOAdapter, file: StoredFile) -> int:
    url = minio.get_presigned_url(
        file.bucket, file.object_path, expires_seconds=60, content_type=file.content_type
    )
    try:
        with urlopen(url, timeout=FETCH_SECONDS) as answer:  # noqa: S310 - MinIO's own address
            return sum(map(len, iter(lambda: answer.read(2**20), b"")))
    except URLError as error:
        status = getattr(error, "code", None)
        if status == 404:
            raise RecordNotFound(
                f"The object of the screenshot {file.id} is gone; its row is still there."
            ) from None
        # The address is a credential, so it is not told.
        reason = f"answered {status}" if status else f"gave nothing ({error.reason})"
        raise StoreUnavailable(
            f"A presigned URL of the screenshot {file.id} {reason}; see whether "
            "MINIO_PUBLIC_ENDPOINT is the address that browsers reach."
        ) from None


def _tasks(postgres: PostgresAdapter, name: str, given: dict[str, float]) -> list[DatedTask]:
    with postgres.connection(QUERY_SECONDS) as connection:
        return [DatedTask(*row) for row in connection.execute(query(name), given)]


def in_words(span: timedelta) -> str:
    """A time span as people say it."""
    minutes = int(span.total_seconds() // 60)
    return f"{minutes} minutes" if minutes < 180 else f"{minutes // 60} hours"
