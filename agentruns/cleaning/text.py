"""Text that every store takes."""


def clean_text(text: str) -> str:
    """The text with U+FFFD in the place of each NUL and each lone surrogate."""
    return _without_lone_surrogates(text).replace("\x00", "\ufffd")


def _without_lone_surrogates(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        # UTF-16 joins a pair of surrogates to the character that was meant.
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def printable(name: str) -> str:
    """A file's name as one line: bytes that are not UTF-8 and control characters spelled out."""
    if name.isprintable():
        return name
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def clip_text(text: str, limit: int) -> str:
    """At most about `limit` characters, the end replaced by a note of how many are missing."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]} [... {len(text) - limit} more characters left out]"
