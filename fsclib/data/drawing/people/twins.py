"""Near twins: every sixth identity shares all but one attribute with the one before; and the table of everyone's attributes."""

from dataclasses import asdict, replace
from functools import lru_cache

from numpy.random import Generator

from fsclib.data.drawing.chance import TWIN, pick, stream
from fsclib.data.drawing.people.identity import Identity, original

EVERY = 6  # identities 6, 12, … are near twins of 5, 11, …


def family(number: int) -> int:
    """The identity's own number, or that of the one whose near twin it is."""
    return number - 1 if number % EVERY == 0 else number


@lru_cache(maxsize=256)
def identity(seed: int, number: int, twins: bool = True) -> Identity:
    """Person `number` of the world `seed`; where `twins` is set, every sixth is the near twin of the one before."""
    if twins and family(number) != number:
        return _twin(original(seed, family(number)), stream(TWIN, number, seed))[0]
    return original(seed, number)


def _twin(person: Identity, rng: Generator) -> tuple[Identity, str]:
    """The person with one attribute changed, and which."""
    stranger = lambda: original(int(rng.integers(2**31)), 1)  # noqa: E731
    choice = pick(
        rng, {"hair": 3, "bag": 4, "lower": 3, "shoes": 2, "glasses": 1, "upper pattern": 3, "upper material": 2, "sleeves": 2}
    )
    while True:
        other = stranger()
        upper, cloth = person.upper, person.upper.cloth
        match choice:
            case "hair":
                changed = replace(person, hair=other.hair if other.hair != "hood" else "cap")
            case "bag":
                changed = replace(person, bag=other.bag)
            case "lower":
                if person.lower.kind == "dress":
                    choice = "shoes"
                    continue
                if other.lower.kind == "dress" or (other.lower.kind == "skirt") != (person.lower.kind == "skirt"):
                    continue  # over a skirt the upper garment would be cut shorter, a second difference
                changed = replace(person, lower=other.lower)
            case "shoes":
                changed = replace(person, shoes=other.shoes)
            case "glasses":
                changed = replace(person, glasses=not person.glasses)
            case "upper pattern":
                if upper.kind == "none":
                    choice = "bag"
                    continue
                changed = replace(person, upper=replace(upper, cloth=replace(cloth, pattern=other.upper.cloth.pattern)))
            case "upper material":
                if upper.kind == "none":
                    choice = "bag"
                    continue
                new = {
                    "material": other.upper.cloth.material,
                    "infrared": other.upper.cloth.infrared,
                    "mark_infrared": other.upper.cloth.mark_infrared,
                }
                changed = replace(person, upper=replace(upper, cloth=replace(cloth, **new)))
            case "sleeves":
                if upper.kind not in ("t-shirt", "shirt"):
                    choice = "bag"
                    continue
                changed = replace(person, upper=replace(upper, sleeves=0.12 if upper.sleeves > 0.3 else 0.47))
        if changed != person:
            return changed, choice


def attributes(seed: int, number: int, twins: bool = True) -> dict[str, str]:
    """One row of attributes.csv: nested parts are flattened, lengths in metres. "none" is what the person does not have or show.

    twin_of and differs_in are "none" but for near twins.
    """
    person = identity(seed, number, twins)

    def flat(value: object, name: str) -> dict[str, str]:
        if isinstance(value, dict):
            return {k: v for key, entry in value.items() for k, v in flat(entry, f"{name}_{key}" if name else key).items()}
        return {name: f"{value:.3f}" if isinstance(value, float) else str(value)}

    row = flat(asdict(person), "")
    unseen = {
        "cap": person.hair != "cap",
        "hair_colour": person.hair == "bald",
        "bag_": person.bag == "none",
        "bag_side": person.bag == "backpack",
        "inner": person.upper.front == "closed",
        "upper_": person.upper.kind == "none",
        "lower_sleeves": person.lower.kind != "dress",
        "shoes_sleeves": True,
        "shoes_hem": True,
        "shoes_cloth_mark": True,
    }
    row |= {
        name: "none"
        for name in row
        for start, hidden in unseen.items()
        if hidden and name.startswith(start) and name != "upper_kind"
    }
    row |= {
        f"{part}_mark{end}": "none"
        for part in ("upper_cloth", "lower_cloth", "bag_cloth")
        if row[f"{part}_pattern"] == "plain"
        for end in ("", "_infrared")
    }
    twin = twins and family(number) != number
    row["twin_of"] = str(family(number)) if twin else "none"
    row["differs_in"] = _twin(original(seed, family(number)), stream(TWIN, number, seed))[1] if twin else "none"
    return row
