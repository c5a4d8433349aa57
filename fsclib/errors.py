"""The base class of this library's own errors: `except FsclibError` catches all of them. And what a terminal may be shown."""

import unicodedata


class FsclibError(Exception):
    """An error whose message says what was found, what was expected and what to do."""

    def __str__(self) -> str:
        return printable(super().__str__())


def printable(text: str, lines: bool = True) -> str:
    """Text of others for a terminal: signs that control it, turn its writing around or are no text, as Python writes them in ASCII.

    lines: whether ends of lines stay; those within a name should not.
    """
    if text.isprintable():
        return text
    kept = "\n" if lines else ""
    return "".join(sign if sign.isprintable() or sign in kept or _space(sign) else ascii(sign)[1:-1] for sign in text)


def _space(sign: str) -> bool:
    return unicodedata.category(sign) == "Zs"
