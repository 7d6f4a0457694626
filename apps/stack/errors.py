"""What can go wrong with the local servers."""


class StackError(Exception):
    """The local servers cannot do what was asked; the message says what to do now."""
