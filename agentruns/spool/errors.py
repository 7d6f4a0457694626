"""What can go wrong with a spool.

SpoolError
├── SpoolFull        no room under its limit; what is there is untouched
│   └── DiskFull     no room on the disk
├── SpoolTooNew      a newer agentruns made it
└── SpoolUnusable    it may not be written, or is something else
"""


class SpoolError(Exception):
    """Something went wrong with a spool; the message is for people."""


class SpoolFull(SpoolError):  # noqa: N818 - the name says what happened, in the words of the design
    """The spool has reached its limit: nothing of this call is kept, everything before is."""


class DiskFull(SpoolFull):
    """The disk has no room: nothing of this call is kept, everything before is."""


class SpoolTooNew(SpoolError):  # noqa: N818 - as above
    """A newer agentruns made the spool; this one would not understand it."""


class SpoolUnusable(SpoolError):  # noqa: N818 - as above
    """The folder can't be used as a spool; the message says why and what to do."""
