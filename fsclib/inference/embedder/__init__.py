"""A trained network for use in other programs: from pictures to vectors and ranked lists."""

from fsclib.inference.embedder.embedder import Embedder
from fsclib.inference.embedder.embeddings import Embeddings, read_embeddings
from fsclib.inference.embedder.loading import load
from fsclib.inference.embedder.ranked import RankedLists

__all__ = ["Embedder", "Embeddings", "RankedLists", "load", "read_embeddings"]
