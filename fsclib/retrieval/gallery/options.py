"""Options for building and searching an index, the origin of its vectors, and the optional FAISS."""

import math
import re
from dataclasses import dataclass, replace
from types import ModuleType

from fsclib.config.strict import AUTO, Strict, option, shown
from fsclib.retrieval.features import WEIGHTINGS
from fsclib.system.errors import FsclibError

HASH = re.compile(r"[0-9a-f]{32}")
EXACT, IVFPQ = "exact", "ivfpq"
SWITCH = 10**6  # images up to which "auto" compares a query with all of them
PROBES = 3.0  # times √lists
PER_LIST = 39  # images that k-means sees for each list; FAISS warns about fewer
TRAINED = 256  # images that a product quantiser needs at least: one for each value of a byte


class SearchError(FsclibError, RuntimeError):
    """An index that does not match the request or cannot be read: which folder, what was found, what to do."""


@dataclass(frozen=True, kw_only=True)
class IndexOptions(Strict):
    """Options that determine the files of an index and its default search."""

    kind: str = option(AUTO, f"compare every image, or lists of codes; auto: exact up to {SWITCH:,} images", choices=(EXACT, IVFPQ))
    dimensions: int = option(256, "dimensions that vectors are reduced to, if they have more", low=1, high=4096)
    code: int = option(64, "bytes of an image's code; rounded down to a divisor of the dimensions", low=1, high=256)
    lists: int = option(AUTO, "lists that images are sorted into; auto: 4 √N", low=1, high=2**20)
    probes: int = option(AUTO, "lists that a query probes; auto: proportional to √lists", low=1, high=2**20)
    rerank: int = option(
        200, "top candidates that are compared again by their half-precision vectors; 0: none", low=0, high=100_000
    )

    def settled(self, images: int, dimension: int) -> "IndexOptions":
        """The same options with "auto" resolved, for a number of images and the dimension of their vectors.

        Errors: SearchError for too few images to train lists of codes.
        """
        kind = self.kind if self.kind != AUTO else EXACT if images <= SWITCH else IVFPQ
        if kind == IVFPQ and images < TRAINED:
            raise SearchError(f"found {images} images, expected {TRAINED} or more to train codes on; build with kind='{EXACT}'")
        dimensions = min(self.dimensions, dimension, images)
        code = max(part for part in range(1, min(self.code, dimensions) + 1) if dimensions % part == 0)
        lists = min(4 * math.isqrt(images) if self.lists == AUTO else self.lists, max(1, images // PER_LIST))
        probes = min(lists, round(PROBES * math.sqrt(lists)) if self.probes == AUTO else self.probes)
        return replace(self, kind=kind, dimensions=dimensions, code=code, lists=lists, probes=max(1, probes))


@dataclass(frozen=True)
class Origin:
    """What vectors must have in common to be compared. network: the fingerprint of its checkpoint, 32 hexadecimal digits;
    weighting: of pooled and neck features, one of features.WEIGHTINGS; mirror: with the mirror images added."""

    network: str
    weighting: str = "equal"
    mirror: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.network, str) or not HASH.fullmatch(self.network):
            found = f"network: found {shown(self.network)}, expected 32 hexadecimal digits"
            raise ValueError(f"{found}; pass checkpoint.fingerprint of the file with its weights")
        if not isinstance(self.mirror, bool):
            raise ValueError(f"mirror: found {shown(self.mirror)}, expected True or False")
        if not isinstance(self.weighting, str) or self.weighting not in WEIGHTINGS:
            raise ValueError(f"weighting: found {shown(self.weighting)}, expected one of {', '.join(WEIGHTINGS)}")


def library() -> ModuleType:
    """Imports FAISS. Errors: SearchError if it is not installed."""
    try:
        import faiss
    except ImportError as error:
        raise SearchError("faiss is not installed, but lists of codes need it: pip install 'fsclib[gallery]'") from error
    return faiss
