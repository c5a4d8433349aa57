"""All sections of a paper; finds what can be made and what cannot, before any work."""

from dataclasses import dataclass, replace

from workbook.paper.items import Item, Missing, listed
from workbook.paper.options import PaperOptions
from workbook.paper.sections import ablation, attention, corpus, embedding, literature, provenance, retrieval, spectrum, training
from workbook.paper.selection import Cast, choose

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
            told += [
                "",
                "cannot be made; run these commands in notebooks/ first",
                listed(self.missing),
            ]
        return "\n".join(told)


def plan(options: PaperOptions) -> Plan:
    """Plans the paper that these options describe.

    Errors: SweepError for a named sweep that is broken. Runs that cannot be read are left out, and logged with the reason.
    """
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
