"""What a disk answers in place of a path: asked again, it may say something else."""

import errno
import threading

#: What is true of the path itself, each time it is asked.
LASTING = frozenset(
    {
        errno.ENOENT,
        errno.EACCES,
        errno.EPERM,
        errno.ENOTDIR,
        errno.ELOOP,
        errno.ENAMETOOLONG,
    }
)


class Hiccups(threading.local):
    """Counts, in each thread, how often nobody could tell what is at a path."""

    count = 0

    def note(self, error: OSError) -> None:
        """Count the error, unless it says something of the path."""
        self.count += error.errno not in LASTING

    def __enter__(self) -> None:
        """Begin a block that is left at an error."""

    def __exit__(self, kind: object, error: object, trace: object) -> bool:
        if isinstance(error, OSError):
            self.note(error)
        return isinstance(error, OSError)


#: Of this process.
HICCUPS = Hiccups()
