"""Format A: the folders that the trajectory saver of cua-agent writes."""
