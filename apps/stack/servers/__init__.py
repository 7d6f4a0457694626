"""The servers that a home consists of, one a file."""
