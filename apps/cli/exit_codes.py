"""What the command's exit code tells a script."""

from enum import IntEnum


class ExitCode(IntEnum):
    """The promise to scripts; every command ends with one of these."""

    GOOD = 0  #: done, and good
    NOT_GOOD = 1  #: the job ran, and what it found is not good
    WRONG_USAGE = 2  #: wrong usage or bad input
    AWAY = 3  #: a store or server is away
    REFUSED = 4  #: refused for lack of rights
    STOPPED = 130  #: stopped by Ctrl-C
