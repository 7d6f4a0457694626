"""Format O: folders of files that were sorted by kind, so that their runs are to be rebuilt."""
