"""Format C: what `cua do` records, in a folder or a zip of it."""
