"""All sections of a paper; what can be made and what cannot, found before any work."""

from dataclasses import dataclass, replace

from fsclib.paper import ablation, attention, corpus, embedding, literature, provenance, retrieval, spectrum, training
from fsclib.paper.cast import Cast, choose
from fsclib.paper.items import Item, Missing, listed
from fsclib.paper.options import PaperOptions

SECTIONS = (corpus, training, retrieval, ablation, literature, spectrum, attention, embedding, provenance)


@dataclass(frozen=True, eq=False)
class Plan:
    """Items by the title of their section, and what cannot be made."""

    cast: Cast
    sections: dict[str, list[Item]]
    missing: tuple[Missing, ...]

    def __str__(self) -> str:
        made = [f"{title}: {', '.join(item.name for item in items)}" for title, items in self.sections.items()]
        told = [f"runs side by side: {', '.join(self.cast.names) or 'none'}", *self.cast.notes, "", "will be made", *made]
        if self.missing:
            told += ["", "cannot be made, and the command, in notebooks/, that makes what is lacking", listed(self.missing)]
        return "\n".join(told)


def plan(options: PaperOptions) -> Plan:
    """What a paper from these options holds. Errors: SweepError for a sweep that is named and broken; RunError for a run folder of
    the data set that cannot be read."""
    cast = choose(options)
    sections, missing = {}, list(cast.missing)
    for section in SECTIONS:
        for found in section.items(cast):
            if isinstance(found, Missing):
                missing.append(found)
            elif lacking := next((cast.unmet[need] for need in found.needs if need in cast.unmet), None):
                missing.append(replace(lacking, what=found.name))
            else:
                sections.setdefault(section.TITLE, []).append(found)
    return Plan(cast, sections, tuple(missing))
