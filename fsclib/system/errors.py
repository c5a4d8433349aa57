"""The base class of this library's own errors, which `except FsclibError` catches, and escaping of text for a terminal."""

import unicodedata


class FsclibError(Exception):
    """An error whose message says what was found, what was expected and what to do."""

    def __str__(self) -> str:
        return printable(super().__str__())


def printable(text: str, lines: bool = True) -> str:
    """Untrusted text for a terminal: control codes, changes of writing direction and invalid text become Python's ASCII escapes.

    lines: whether line breaks are kept; within a name they should not be.
    """
    if text.isprintable():
        return text
    kept = "\n" if lines else ""
    return "".join(sign if sign.isprintable() or sign in kept or _space(sign) else ascii(sign)[1:-1] for sign in text)


def _space(sign: str) -> bool:
    return unicodedata.category(sign) == "Zs"
