-- A segment: one table a lane, events in the order in which they were written.
CREATE TABLE logs (
    position INTEGER PRIMARY KEY,
    sequence INTEGER,
    kind TEXT NOT NULL,
    payload TEXT NOT NULL
);
CREATE TABLE rows (
    position INTEGER PRIMARY KEY,
    sequence INTEGER,
    kind TEXT NOT NULL,
    payload TEXT NOT NULL
);
CREATE TABLE files (
    position INTEGER PRIMARY KEY,
    sequence INTEGER,
    kind TEXT NOT NULL,
    payload TEXT NOT NULL
);
