"""Real MongoDB, PostgreSQL, MinIO and Prefect on this machine, without containers."""

from apps.stack.errors import StackError
from apps.stack.stack import Stack
from apps.stack.states import ServerStatus, StackStatus

__all__ = ["ServerStatus", "Stack", "StackError", "StackStatus"]
