"""Tasks, their progress, the verdicts on them and their files, as models in and out."""

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic_core import to_json

from agentruns.models import (
    AgentTask,
    Bucket,
    Evaluation,
    Health,
    MissingFile,
    Page,
    ProgressUpdate,
    Status,
    StoredFile,
    utcnow,
)
from storage.acts import Act, What
from storage.closing import Closable
from storage.errors import RecordNotFound, RecordRejected
from storage.health import timed_health
from storage.marker import Guard, guard_of
from storage.postgres.bulk import store_rows
from storage.postgres.connection import Database, PgConnection
from storage.postgres.filters import checked
from storage.postgres.listing import (
    EVALUATIONS,
    FILES,
    MISSING_FILES,
    PROGRESS_OF_TASK,
    RECENT_PROGRESS,
    TASKS,
    Kept,
    Listing,
    read_one,
    read_page,
    window,
)
from storage.postgres.queries import query
from storage.postgres.transitions import replaces
from storage.retries import retried
from storage.settings import load_settings

#: A call that takes longer than this is given up, whatever the server does.
_SECONDS = 15.0
#: A batch may take longer.
_BATCH_SECONDS = 60.0
_PROBE_SECONDS = 2.0


class PostgresAdapter(Closable):
    """What PostgreSQL keeps; opened on first use, to be closed or used as a context manager.

    Every call raises `StoreUnavailable` when the server is away or silent for `seconds`. A URL is
    taken to be of the environment of this process, unless a guard says whom it is for.
    """

    def __init__(
        self, url: str | None = None, *, seconds: float = _SECONDS, guard: Guard | None = None
    ) -> None:
        if url is None or guard is None:
            own = load_settings()
            url, guard = url or own.required("postgres_url"), guard or guard_of(own)
        self._database = Database(url, seconds, guard)

    def get_tasks(
        self,
        status: Status | str | None = None,
        agent_id: str | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> Page[AgentTask]:
        """Tasks, newest first."""
        filters = checked(status=status, agent_id=agent_id)
        return self._page(TASKS, filters, limit, after)

    def get_task(self, task_id: UUID | str) -> AgentTask:
        """One task.

        Raises:
            RecordNotFound: when there is none with this id.
        """
        task = self._found_task(checked(id=task_id))
        if task is None:
            raise RecordNotFound(f"There is no task with the id {task_id}.")
        return task

    def get_task_progress(
        self, task_id: UUID | str, limit: int = 100, after: str | None = None
    ) -> Page[ProgressUpdate]:
        """The steps of one task, oldest first."""
        filters = checked(task_id=task_id)
        return self._page(PROGRESS_OF_TASK, filters, limit, after)

    def get_recent_progress(
        self, agent_id: str | None = None, limit: int = 100, after: str | None = None
    ) -> Page[ProgressUpdate]:
        """The steps of all tasks, newest first."""
        filters = checked(agent_id=agent_id)
        return self._page(RECENT_PROGRESS, filters, limit, after)

    def get_evaluations(  # noqa: PLR0913 - one argument a filter
        self,
        task_id: UUID | str | None = None,
        *,
        agent_id: str | None = None,
        scorer: str | None = None,
        scorer_version: str | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> Page[Evaluation]:
        """Verdicts, newest first; each scorer's newest on a task is the one that counts."""
        filters = checked(
            task_id=task_id, agent_id=agent_id, scorer=scorer, scorer_version=scorer_version
        )
        return self._page(EVALUATIONS, filters, limit, after)

    @retried
    def get_latest_scores(
        self, task_ids: Collection[UUID], scorer: str
    ) -> dict[UUID, float | None]:
        """A scorer's newest score of each task it judged; None where it does not apply."""
        given = checked(scorer=scorer) | {"task_ids": list(task_ids)}
        with self.connection() as connection:
            return dict(connection.execute(query("latest_scores"), given).fetchall())

    def get_binary_files(  # noqa: PLR0913 - one argument a filter
        self,
        bucket: Bucket | str | None = None,
        task_id: UUID | str | None = None,
        agent_id: str | None = None,
        *,
        content_type: str | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> Page[StoredFile]:
        """Metadata of stored files, newest first."""
        filters = checked(
            bucket=bucket, task_id=task_id, agent_id=agent_id, content_type=content_type
        )
        return self._page(FILES, filters, limit, after)

    def get_missing_files(
        self, task_id: UUID | str, limit: int = 100, after: str | None = None
    ) -> Page[MissingFile]:
        """Files of one task whose objects are lost, newest first; no other page shows them."""
        return self._page(MISSING_FILES, checked(task_id=task_id), limit, after)

    def create_task(self, agent_id: str, title: str, **fields: Any) -> AgentTask:
        """Keep a new task; further fields are those of `AgentTask`."""
        task = AgentTask(agent_id=agent_id, title=title, **fields)
        self.store_rows(tasks=[task])
        return self.get_task(task.id)

    def update_task_status(
        self, task_id: UUID | str, status: Status | str, at: datetime | None = None
    ) -> AgentTask:
        """Let a task go on to a status; the status it has already changes nothing.

        Raises:
            RecordNotFound: when there is no such task.
            RecordRejected: when the task is past that status.
        """
        wanted = Status(checked(status=status)["status"])
        known = self.get_task(task_id)
        if known.status is wanted:
            return known
        news = {"status": wanted, "status_at": at or utcnow(), "finished_at": None}
        told = AgentTask.model_validate(known.model_dump() | news)
        if replaces(told, known):
            self.store_rows(tasks=[told])
        return self._expected(known.id, wanted)

    def add_progress_update(
        self,
        task_id: UUID | str,
        agent_id: str,
        progress_percent: float | None = None,
        message: str = "",
        **fields: Any,
    ) -> ProgressUpdate:
        """Keep one more step of a task; further fields are those of `ProgressUpdate`."""
        update = ProgressUpdate(
            task_id=checked(task_id=task_id)["task_id"],
            agent_id=agent_id,
            progress_percent=progress_percent,
            message=message,
            **fields,
        )
        self.store_rows(progress=[update])
        return update

    def create_evaluation(self, **fields: Any) -> Evaluation:
        """Keep a verdict; the fields are those of `Evaluation`, the score goes from 0 to 1."""
        evaluation = Evaluation(**fields)
        self.store_rows(evaluations=[evaluation])
        return evaluation

    def register_binary_file(self, file: StoredFile | None = None, **fields: Any) -> StoredFile:
        """Keep the metadata of an object, given as a model or as the fields of one."""
        file = file or StoredFile(**fields)
        self.store_rows(files=[file])
        return file

    @retried
    def store_rows(
        self,
        *,
        tasks: Sequence[AgentTask] = (),
        progress: Sequence[ProgressUpdate] = (),
        files: Sequence[StoredFile] = (),
        evaluations: Sequence[Evaluation] = (),
        touched: Collection[UUID] = (),
    ) -> None:
        """Keep many records in one transaction; what is there already changes nothing.

        Raises:
            RecordRejected: when one of them is refused; then none is kept.
        """
        with self.connection(_BATCH_SECONDS) as connection:
            store_rows(
                connection,
                tasks=tasks,
                progress=progress,
                files=files,
                evaluations=evaluations,
                touched=touched,
            )

    @retried
    def heartbeat(self, task_ids: Collection[UUID]) -> None:
        """Note that the recorders of these tasks live now; counts for those in progress."""
        given = {"ids": sorted(task_ids)}
        with self.connection() as connection:
            connection.execute(query("lock_tasks"), given)
            connection.execute(query("heartbeat_tasks"), given)

    @retried
    def audit(self, what: What, acts: Sequence[Act], /) -> None:
        """Note in the audit log what is about to be done, each time one entry, all at once.

        Raises:
            AccessDenied: when it is not an act of our role.
        """
        told = {"what": what, "entries": to_json([act.entry() for act in acts]).decode()}
        with self.connection() as connection:
            # A frontend's transactions read only, unless they begin like this.
            connection.execute("SET TRANSACTION READ WRITE")
            connection.execute(query("audit"), told)

    def connection(self, seconds: float | None = None) -> AbstractContextManager[PgConnection]:
        """One transaction on a connection that raises our errors and ends within `seconds`."""
        return self._database.connection(seconds)

    def health_check(self) -> Health:
        """Whether the server answers and has our schema, told within two seconds."""
        return timed_health("postgres", lambda: self._database.probe(_PROBE_SECONDS))

    def close(self) -> None:
        """Close every connection."""
        self._database.close()

    @retried
    def _page(
        self, listing: Listing[Kept], filters: dict[str, Any], limit: int, after: str | None
    ) -> Page[Kept]:
        cut = window(limit, after)
        with self.connection() as connection:
            return read_page(connection, listing, filters, cut)

    @retried
    def _found_task(self, given: dict[str, Any]) -> AgentTask | None:
        with self.connection() as connection:
            return read_one(connection, AgentTask, "task", given)

    def _expected(self, task_id: UUID, status: Status) -> AgentTask:
        task = self.get_task(task_id)
        if task.status is not status:
            raise RecordRejected(
                f"The task {task_id} is {task.status} already, so it cannot become {status}."
            )
        return task
