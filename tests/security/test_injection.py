"""Whatever is stored or asked for stays a value: it is never read as SQL or as an operator."""

import ast
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from agentruns.models import AgentTask, ProgressUpdate
from storage.mongo import MongoAdapter
from storage.postgres import PostgresAdapter

pytestmark = pytest.mark.promise(5, by="us")

ROOT = Path(__file__).parents[2]
SQL = [
    "'; DROP TABLE tasks; --", "' OR '1'='1", "\\'; SELECT pg_sleep(9); --", "$$; DROP TABLE tasks",
    "%s %(x)s %%", ":name {0} {}", "\\x00\\.\t\\N", "$1",
]  # fmt: skip
OPERATORS: list[dict[str, Any]] = [
    {"$where": "sleep(9000)"},
    {"$ne": None},
    {"a.b": 1, "$set": {"level": "error"}},
    {"": "empty", "__proto__": {"x": 1}, "_id": "mine", "$oid": "0" * 24},
]
BUILT = (ast.JoinedStr, ast.BinOp)


@pytest.mark.parametrize("many", [1, 150], ids=["inserted", "copied"])
def test_sql_in_any_text_is_kept_as_it_is(
    postgres: PostgresAdapter, agent_id: str, many: int
) -> None:
    task = postgres.create_task(agent_id, SQL[0], description=SQL[1], metadata={SQL[0]: SQL})
    steps = [
        ProgressUpdate(task_id=task.id, agent_id=agent_id, message=text, data={text: text})
        for text in SQL * many
    ][: max(many, len(SQL))]
    postgres.store_rows(progress=steps)

    assert postgres.get_task(task.id).metadata == {SQL[0]: SQL}
    kept = {step.message for step in postgres.get_task_progress(task.id, limit=1000)}
    assert kept == set(SQL)


@pytest.mark.parametrize("data", OPERATORS, ids=str)
def test_an_operator_in_a_value_is_kept_and_never_obeyed(
    mongo: MongoAdapter, data: dict[str, Any]
) -> None:
    task_id = uuid4()
    mongo.write_log("other", level="info")
    entry = mongo.write_log("m", level="info", task_id=task_id, given=data)

    assert list(mongo.read_logs(task_id=task_id)) == [entry]
    assert list(mongo.read_logs(level="error")) == []
    assert mongo.read_memories(memory_type=str(data)).items == ()


def test_no_list_can_be_sorted_or_filtered_by_a_name_of_the_caller(
    postgres: PostgresAdapter,
) -> None:
    for name in ("sort", "order_by", "where", "columns"):
        with pytest.raises(TypeError, match=name):
            postgres.get_tasks(**{name: "title; DROP TABLE tasks"})  # type: ignore[arg-type]  # the attack


def test_a_task_posing_as_another_table_is_refused(agent_id: str) -> None:
    assert AgentTask(agent_id=agent_id, title="a task")
    with pytest.raises(ValueError, match="Extra inputs"):
        AgentTask(agent_id=agent_id, title="a task", **{"id) --": 1})


def test_no_statement_is_glued_together_from_values() -> None:
    assert glued("connection.execute(f'SELECT {name}')") == [1]
    assert glued("connection.execute('SELECT ' + name)") == [1]
    assert glued("connection.execute(query('x'), {'name': name})") == []
    found = {
        f"{file.relative_to(ROOT)}:{line}"
        for folder in ("storage", "quality", "tasks", "flows", "apps")
        for file in (ROOT / folder).rglob("*.py")
        for line in glued(file.read_text())
    }
    assert found == set()


def glued(code: str) -> list[int]:
    """The lines that execute a statement which was put together there."""
    return [
        call.lineno
        for call in ast.walk(ast.parse(code))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr in {"execute", "executemany", "copy"}
        and call.args
        and isinstance(call.args[0], BUILT)
    ]
