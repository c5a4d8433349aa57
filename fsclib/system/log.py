"""Shows the messages of fsclib as plain lines. Notebooks and commands call `show`; a program that only imports the library sees
none, unless it configures the logger "fsclib" itself."""

import io
import logging
import sys

from fsclib.system.errors import printable

HANDLER = "fsclib.system.log"  # compared by name, because %autoreload replaces the class


class Lines(logging.Handler):
    """Prints each message to the current sys.stdout, which Jupyter and pytest replace; a failing print raises its error."""

    def emit(self, record: logging.LogRecord) -> None:
        print(printable(self.format(record)), flush=True)


def show() -> None:
    """Prints messages of fsclib from INFO upwards, in this process; a second call changes nothing.

    What standard output cannot encode, such as an arrow in an ASCII terminal, is printed as Python's escape.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):  # a notebook's takes all text
        sys.stdout.reconfigure(errors="backslashreplace")
    logger = logging.getLogger("fsclib")
    if HANDLER not in {handler.name for handler in logger.handlers}:
        handler = Lines()
        handler.name = HANDLER
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False  # any handler of the root logger, such as Colab's, would show each line again
