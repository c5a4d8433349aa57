"""An entry of the catalogue of corruptions, and how it is entered."""

from collections.abc import Callable
from dataclasses import dataclass

from spoiling import Corpus

from fsclib.data.datasets import LAYOUTS

Spoil = Callable[[Corpus], object]


@dataclass(frozen=True)
class Corruption:
    """alone: changes so much that other corruptions would not find what they look for. decoding: knows nothing of layouts."""

    name: str
    spoil: Spoil
    layouts: tuple[str, ...] = tuple(LAYOUTS)
    alone: bool = False
    decoding: bool = False


class Entries(list[Corruption]):
    """A part of the catalogue."""

    def enter(self, name: str, *layouts: str, alone: bool = False) -> Callable[[Spoil], Spoil]:
        """Decorates what spoils a corpus; layouts: those that have what it spoils, by default all."""

        def entered(spoil: Spoil) -> Spoil:
            self.append(Corruption(name, spoil, layouts or tuple(LAYOUTS), alone))
            return spoil

        return entered
