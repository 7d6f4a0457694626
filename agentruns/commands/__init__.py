"""How commands and folders are recorded: what they print and leave becomes records."""
