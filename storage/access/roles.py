"""The components that have a role of their own in PostgreSQL."""

from typing import Literal, get_args

Component = Literal["operator", "evaluator", "frontend"]
#: The user that the evaluator is in MongoDB.
MONGODB_EVALUATOR = "agentruns_evaluator"
COMPONENTS: tuple[Component, ...] = get_args(Component)


def role_of(component: str) -> str:
    """The PostgreSQL role that a component logs in with."""
    return f"agentruns_{component}"
