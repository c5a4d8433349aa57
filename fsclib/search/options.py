"""How an index is built and searched; what it was made from; and FAISS, where it is installed."""

import math
import re
from dataclasses import dataclass, replace
from types import ModuleType

from fsclib.features import WEIGHTINGS
from fsclib.strict import AUTO, Strict, option, shown

HASH = re.compile(r"[0-9a-f]{32}")
EXACT, IVFPQ = "exact", "ivfpq"
SWITCH = 10**6  # images up to which "auto" compares a query with every one of them
PROBES = 3.0  # of √lists
PER_LIST = 39  # images that k-means sees for each list: fewer, and FAISS warns
TRAINED = 256  # images that a product quantiser needs at least: as many as a code's byte has values


class SearchError(RuntimeError):
    """An index that does not fit what is asked, or cannot be read: which folder, what was found, what to do."""


@dataclass(frozen=True, kw_only=True)
class IndexOptions(Strict):
    """What decides the files of an index, and how they are searched by default."""

    kind: str = option(
        AUTO, f"every image compared, or lists of codes; auto: exact up to {SWITCH:,} images", choices=(EXACT, IVFPQ)
    )
    dimensions: int = option(256, "dimensions that vectors are reduced to, where they have more", low=1, high=4096)
    code: int = option(64, "bytes of an image's code at most; the nearest divisor of the dimensions is taken", low=1, high=256)
    lists: int = option(AUTO, "lists that images are sorted into; auto: 4 √N", low=1, high=2**20)
    probes: int = option(AUTO, "lists that a query looks into; auto: a number that grows with √lists", low=1, high=2**20)
    rerank: int = option(200, "first found that are compared again by their half-precision vectors; 0: none", low=0, high=100_000)

    def settled(self, images: int, dimension: int) -> "IndexOptions":
        """The same without "auto", for a number of images and the dimension of their vectors.

        Errors: SearchError for fewer images than can train lists of codes.
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
    """What vectors have to have in common to be compared. network: the fingerprint of its checkpoint, 32 hexadecimal digits;
    weighting of pooled and neck features, one of features.WEIGHTINGS; mirror: with the mirror images added."""

    network: str
    weighting: str = "equal"
    mirror: bool = True

    def __post_init__(self):
        if not isinstance(self.network, str) or not HASH.fullmatch(self.network):
            found = f"network: found {shown(self.network)}, expected 32 hexadecimal digits"
            raise ValueError(f"{found}; pass checkpoint.fingerprint of the file with its weights")
        if not isinstance(self.mirror, bool):
            raise ValueError(f"mirror: found {shown(self.mirror)}, expected True or False")
        if not isinstance(self.weighting, str) or self.weighting not in WEIGHTINGS:
            raise ValueError(f"weighting: found {shown(self.weighting)}, expected one of {', '.join(WEIGHTINGS)}")


def library() -> ModuleType:
    """FAISS. Errors: SearchError if it is not installed."""
    try:
        import faiss
    except ImportError as error:
        raise SearchError("faiss is not installed, which searches lists of codes: pip install 'fsclib[search]'") from error
    return faiss
