"""The forms of names: of runs, and of networks shipped with fsclib."""

import re

LONGEST = 100  # characters of a run's name
NAME = re.compile(rf"[A-Za-z0-9_][A-Za-z0-9._-]{{0,{LONGEST - 1}}}")  # never a path, and plain text to LaTeX, HTML and shells alike
SHIPPED = re.compile(r"people/[a-z0-9]+")  # networks shipped with fsclib, in place of a run's name
OPENED = re.compile(rf"{NAME.pattern}|{SHIPPED.pattern}")
USUAL = re.compile(r"(?P<network>\w+)-(?P<scale>[a-z]+)-seed(?P<seed>\d+)(-trial(?P<trial>\d+))?")  # the form of automatic names
