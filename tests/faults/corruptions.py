"""The catalogue of corruptions: ways in which a data set can be broken. Each changes a corpus and records the expected result.

Where there is a choice: a picture is turned as its EXIF entry says, as every viewer does; transparency is dropped, as the
published programs do; a file of several pictures is refused, because it is unclear which one is meant. The same picture under two
identities is accepted: the files are not broken, and a photograph may well show two people side by side.
"""

from broken_files import FILES
from broken_folders import PLACES
from broken_indexes import INDEXES

CATALOGUE = (*FILES, *INDEXES, *PLACES)
