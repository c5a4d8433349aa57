"""Search in galleries of any size: build an index of embeddings, extend it, search it.

    build(folder, shards, origin, options, queries)    append(folder, shards, origin)    Gallery(folder, origin).search(queries, k)

Up to 10⁶ images a query is compared with all of them. Beyond that, images are sorted into lists and coded in a few bytes
(codes.py), a query probes the most promising lists, and the top candidates are compared again by their half-precision vectors on
disk. In both cases dimensions are reduced first (reduction.py), files are memory-mapped for searching, images that the protocol
hides from a query stay hidden, and the result is images or people. Only lists of codes need FAISS: pip install 'fsclib[gallery]'.
"""

from fsclib.retrieval.gallery.building import append, build
from fsclib.retrieval.gallery.entries import Cut, Entries, Shards
from fsclib.retrieval.gallery.gallery import Found, Gallery
from fsclib.retrieval.gallery.options import EXACT, IVFPQ, IndexOptions, Origin, SearchError

__all__ = [
    "EXACT",
    "IVFPQ",
    "Cut",
    "Entries",
    "Found",
    "Gallery",
    "IndexOptions",
    "Origin",
    "SearchError",
    "Shards",
    "append",
    "build",
]
