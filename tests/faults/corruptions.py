"""The catalogue: ways in which a data set arrives broken. Each spoils a corpus and notes what has to come of it.

Decided, where there is a choice: a picture is turned as EXIF says, as every viewer does; transparency is dropped, as the
published programs do; a file of several pictures is refused, for nobody can say which is meant. The same picture under two
identities is let pass: it says nothing about the files, and a data set of photographs may well hold people side by side.
"""

from broken_files import FILES
from broken_folders import PLACES
from broken_indexes import INDEXES

CATALOGUE = (*FILES, *INDEXES, *PLACES)
