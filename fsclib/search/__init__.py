"""Search in galleries of any size: build an index of embeddings, add to it, ask it.

    build(folder, shards, origin, options, queries)    append(folder, shards, origin)    Gallery(folder, origin).search(queries, k)

Up to 10⁶ images a query is compared with all of them. Beyond, images are sorted into lists and coded to a few bytes (codes.py), a
query looks into the most promising lists, and the first it finds are compared again by their half-precision vectors on disk. Either
way dimensions are reduced first (reduction.py), files are mapped into memory when they are searched, what a protocol hides from a
query is hidden, and the answer is images or people. FAISS is needed for lists of codes alone: pip install 'fsclib[search]'.
"""

from fsclib.search.entries import Cut, Entries, Shards
from fsclib.search.filling import append, build
from fsclib.search.gallery import Found, Gallery
from fsclib.search.options import EXACT, IVFPQ, IndexOptions, Origin, SearchError

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
