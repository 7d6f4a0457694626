"""Under which word records are counted, wherever somebody counts them."""

#: By the name of their model.
COUNTED_AS = {
    "AgentTask": "tasks",
    "ProgressUpdate": "progress",
    "LogEntry": "logs",
    "Memory": "memories",
    "StoredFile": "files",
    "Evaluation": "evaluations",
}
