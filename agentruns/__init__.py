"""What an agent imports to record its runs. Needs no store, no driver and no Prefect."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentruns.recording import FlushResult, Recorder, Run, logging_handler
    from agentruns.spool import DiskFull, SpoolError, SpoolFull, SpoolTooNew, SpoolUnusable

__version__ = "0.1.0"

__all__ = [
    "DiskFull",
    "FlushResult",
    "Recorder",
    "Run",
    "SpoolError",
    "SpoolFull",
    "SpoolTooNew",
    "SpoolUnusable",
    "__version__",
    "logging_handler",
]

_FROM_SPOOL = {"DiskFull", "SpoolError", "SpoolFull", "SpoolTooNew", "SpoolUnusable"}


# Late: the command line imports this package for its version, and must answer at once.
def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'agentruns' has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - late, see above

    module = import_module("agentruns.spool" if name in _FROM_SPOOL else "agentruns.recording")
    return getattr(module, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
