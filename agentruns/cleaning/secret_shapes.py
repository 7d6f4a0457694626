"""What secrets look like inside text. Every pattern is linear: bounded or possessive."""

import re

#: What stands where a secret stood.
REDACTED = "[redacted]"

KEYS = re.compile(
    r"""(?<![A-Za-z0-9])(?:
        sk-(?=[A-Za-z_-]{0,40}[0-9])[A-Za-z0-9_-]{16,}+      # OpenAI, Anthropic, ...
      | [sr]k_(?:live|test)_[A-Za-z0-9]{16,}+                # Stripe
      | gh[pousr]_[A-Za-z0-9]{20,}+ | github_pat_[A-Za-z0-9_]{20,}+ | glpat-[A-Za-z0-9_-]{16,}+
      | xox[abeoprs]-[A-Za-z0-9-]{10,}+ | xapp-[A-Za-z0-9-]{16,}+
      | (?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])             # AWS
      | AIza[A-Za-z0-9_-]{35} | ya29\.[A-Za-z0-9_-]{20,}+    # Google
      | hf_[A-Za-z0-9]{20,}+ | npm_[A-Za-z0-9]{30,}+ | pypi-[A-Za-z0-9_-]{50,}+
      | gsk_[A-Za-z0-9]{20,}+ | SG\.[A-Za-z0-9_-]{16,}+\.[A-Za-z0-9_-]{16,}+
      | eyJ[A-Za-z0-9_-]{8,}+\.eyJ[A-Za-z0-9_-]{8,}+\.[A-Za-z0-9_-]*+   # JWT
    )""",
    re.VERBOSE,
)
# A key cut off before its end is a secret as well, so the end marker is optional.
PEM = re.compile(
    r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----(?:[^-]|-(?!----))*+(?:-----END [A-Z ]{0,60}-----)?"
)
URL_PASSWORD = re.compile(r"(://[^\s/:@\"']{0,100}:)(?!\[redacted\]@)[^\s/@\"']{1,200}@")
BEARER = re.compile(r"(?i)(bearer\s{1,4})(?=[^\s\"']{0,200}[0-9])[A-Za-z0-9._~+/=-]{16,}+")
HEADER = re.compile(
    r"(?i)((?:authorization|cookie):[ \t]{0,4})(?!\[redacted\])[^\r\n\"'\\]{6,4000}"
)

_SURE = (
    r"api[_-]?key|access[_-]?key(?:[_-]?id)?|secret[_-]?key|private[_-]?key|client[_-]?secret"
    r"|(?:signing|encryption|account)[_-]?key|connection[_-]?string|passw(?:or)?d|passphrase"
    r"|authorization"
)
_LIKELY = r"token|secret|cookie|signature"
_QUOTE = r"\\{0,8}[\"']"
#: "password": "..." and its stringified forms with escaped quotes.
QUOTED = re.compile(
    rf"(?i)((?:(?:{_SURE}){_QUOTE}?\s{{0,4}}[:=]\s{{0,4}}{_QUOTE}(?!\[redacted\])(?=[^\"'\\])"
    rf"|(?:{_LIKELY}){_QUOTE}?\s{{0,4}}[:=]\s{{0,4}}{_QUOTE}(?!\[redacted\])(?=[^\s\"'\\]{{8}})))"
    r"[^\"'\\]++"
)
#: password=... in command lines, URLs and environments.
ASSIGNED = re.compile(
    rf"(?i)((?:{_SURE}|{_LIKELY})=)(?![=\[])(?=[^\s\"'&;,<>()]{{4}})[^\s\"'&;,<>()\\]++"
)
#: "Password: Tr0ub4dor" in prose; without a digit or sign it is more likely a word.
SPOKEN = re.compile(
    rf"(?i)((?:{_SURE}|{_LIKELY})\s?[:=]\s{{1,4}})(?=[^\s\"']{{0,80}}[0-9!@#$%^&*])[^\s\"'\\,]{{6,}}+"
)

#: --password Tr0ub4dor in command lines.
OPTION = re.compile(
    rf"(?i)((?<![A-Za-z0-9-])--[a-z0-9-]{{0,40}}(?:{_SURE}|{_LIKELY})\s{{1,4}})(?![-\[])"
    r"(?=[^\s\"']{0,80}[0-9!@#$%^&*])[^\s\"'\\,]{6,}+"
)

_AFTER_ITS_NAME = (HEADER, QUOTED, ASSIGNED, OPTION, SPOKEN, BEARER)


def redact_text(text: str) -> str:
    """The text with `REDACTED` in the place of everything that has the shape of a secret."""
    # As one pattern all this took 66 ms more a megabyte, and most texts are harmless.
    text = KEYS.sub(REDACTED, text) if KEYS.search(text) else text
    if "://" in text:
        text = URL_PASSWORD.sub(rf"\1{REDACTED}@", text)
    if may_hold_named_secret(text.casefold()):
        text = PEM.sub(REDACTED, text)
        for pattern in _AFTER_ITS_NAME:
            text = pattern.sub(_keep_name, text)
    return text


def may_hold_named_secret(folded: str) -> bool:
    """Whether a secret that is known by its name can be in the text."""
    # Written out: at every event, and a loop takes five times as long.
    return (
        "key" in folded
        or "pass" in folded
        or "auth" in folded
        or "token" in folded
        or "secret" in folded
        or "cookie" in folded
        or "signature" in folded
        or "bearer" in folded
        or "connection" in folded
    )


def _keep_name(match: re.Match[str]) -> str:
    return match[1] + REDACTED
