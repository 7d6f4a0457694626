"""Format I: the history that a browser-use agent saves as one JSON file."""
