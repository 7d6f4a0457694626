"""What lies where in a spool: names that more than one of its readers and writers knows."""

#: In the spool: a folder for each recorder process.
SESSIONS = "sessions"
#: Copies of what could not be read, each with a report.
DAMAGED = "damaged"
#: What no store takes, what has become of the rest, and what the delivery has to say.
REJECTED = "rejected"
LEDGER = "ledger.db"
DELIVERY_LOG = "delivery.log"

#: In a session: held while its recorder lives.
LOCK = "lock"
#: The tasks of the runs that it has begun and not ended, one file each.
OPEN_RUNS = "open"
#: Nothing more comes: its recorder said so, or is gone and was spoken for.
OVER = "over"

#: In a segment.
EVENTS = "events.db"
#: Nothing more comes into it, although its session goes on.
SEALED = "sealed"
