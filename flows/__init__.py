"""When and in what order: one flow a file, named by a verb phrase."""
