"""A trained network for use in other programs: from pictures to vectors and ranked lists."""

from fsclib.embedder.embedder import Embedder
from fsclib.embedder.embeddings import Embeddings, read_embeddings
from fsclib.embedder.loading import load
from fsclib.embedder.ranked import RankedLists

__all__ = ["Embedder", "Embeddings", "RankedLists", "load", "read_embeddings"]
