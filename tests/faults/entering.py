"""A corruption of a data set, and the lists in which corruptions are registered."""

from collections.abc import Callable
from dataclasses import dataclass

from spoiling import Corpus

PUBLISHED = ("sysu", "regdb", "llcm")  # the layouts that the generator of people writes
Apply = Callable[[Corpus], object]


@dataclass(frozen=True)
class Corruption:
    """alone: cannot be combined with other corruptions. decoding: concerns only how an image is encoded."""

    name: str
    apply: Apply
    layouts: tuple[str, ...] = PUBLISHED
    alone: bool = False
    decoding: bool = False


class Registry(list[Corruption]):
    """A part of the catalogue."""

    def register(self, name: str, *layouts: str, alone: bool = False) -> Callable[[Apply], Apply]:
        """Decorates a function that corrupts a corpus. layouts: those it applies to, by default all."""

        def decorate(apply: Apply) -> Apply:
            self.append(Corruption(name, apply, layouts or PUBLISHED, alone))
            return apply

        return decorate
