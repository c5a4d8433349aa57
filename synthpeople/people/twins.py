"""Near twins: every sixth identity shares all but one attribute with the previous one; and the table of all attributes."""

from dataclasses import asdict, replace
from functools import lru_cache

from synthpeople.people.identity import Cloth, Identity, original
from synthpeople.people.wardrobe import COLOURS
from synthpeople.randomness import TWIN, pick, stream

TRIES = 3000  # random people examined for another value of an attribute before another attribute is chosen
EVERY = 6  # identities 6, 12, … are near twins of 5, 11, …


def family(number: int) -> int:
    """The identity's own number, or that of the identity whose near twin it is (in a corpus with near twins)."""
    return number - 1 if number % EVERY == 0 else number


@lru_cache(maxsize=256)
def identity(seed: int, number: int, twins: bool = True) -> Identity:
    """Person `number` of the world `seed`; with `twins`, every sixth is the near twin of the previous one."""
    if twins and family(number) != number:
        return _twin(seed, number)[0]
    return original(seed, number)


@lru_cache(maxsize=256)
def _twin(seed: int, number: int) -> tuple[Identity, str]:
    """The near twin `number`: the previous identity with one attribute changed, and the attribute. Every change is visible in
    some spectrum."""
    person, rng = original(seed, family(number)), stream(TWIN, number, seed)
    upper, cloth = person.upper, person.upper.cloth
    possible = {"hair": 3, "bag": 4, "shoes": 2, "glasses": 1}
    if person.lower.kind != "dress":
        possible |= {"lower": 3}
    if upper.kind != "none":
        possible |= {"upper pattern": 3, "upper material": 2}
    if upper.kind in ("t-shirt", "shirt"):
        possible |= {"sleeves": 2}
    choice, tries = pick(rng, possible), 0
    while True:
        if (tries := tries + 1) % TRIES == 0:  # no candidate, as for a long coat that comes in one material
            del possible[choice]
            choice = pick(rng, possible)
        other = original(int(rng.integers(2**31)), 1)
        match choice:
            case "hair":
                changed = replace(person, hair=other.hair if other.hair != "hood" else "cap")
                shows = changed.hair != person.hair
            case "bag":
                changed = replace(person, bag=other.bag)
                shows = changed.bag != person.bag
            case "lower":  # a skirt instead of trousers would shorten the upper garment, a second difference
                changed = replace(person, lower=other.lower)
                alike = (other.lower.kind == "skirt") == (person.lower.kind == "skirt") and other.lower.kind != "dress"
                long_enough = upper.kind != "long coat" or other.lower.hem >= upper.hem + 0.08
                shows = alike and long_enough and _apart(person.lower.cloth, other.lower.cloth)
            case "shoes":
                changed = replace(person, shoes=other.shoes)
                shows = _apart(person.shoes.cloth, other.shoes.cloth)
            case "glasses":
                changed, shows = replace(person, glasses=not person.glasses), True
            case "upper pattern":
                changed = replace(person, upper=replace(upper, cloth=replace(cloth, pattern=other.upper.cloth.pattern)))
                shows = other.upper.kind == upper.kind and other.upper.cloth.pattern != cloth.pattern
            case "upper material":
                fibre = other.upper.cloth
                new = {"material": fibre.material, "infrared": fibre.infrared, "mark_infrared": fibre.mark_infrared}
                changed = replace(person, upper=replace(upper, cloth=replace(cloth, **new)))
                alike = other.upper.kind == upper.kind and fibre.material != cloth.material
                shows = alike and abs(fibre.infrared - cloth.infrared) > 0.12
            case _:
                changed = replace(person, upper=replace(upper, sleeves=0.12 if upper.sleeves > 0.3 else 0.47))
                shows = True
        if shows:
            return changed, choice


def _apart(one: Cloth, other: Cloth) -> bool:
    """Whether two fabrics can be told apart in visible light and in near infrared."""
    colours = (COLOURS[cloth.colour] for cloth in (one, other))
    return sum(abs(a - b) for a, b in zip(*colours, strict=True)) > 120 and abs(one.infrared - other.infrared) > 0.12


def attributes(seed: int, number: int, twins: bool = True) -> dict[str, str]:
    """One row of attributes.csv: nested fields are flattened, lengths in metres. "none": absent or not visible.

    twin_of and differs_in are "none" except for near twins.
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
        "inner": person.upper.front == "closed" or person.lower.kind == "dress",
        "upper_": person.upper.kind == "none",
        "lower_sleeves": person.lower.kind != "dress" or person.upper.kind != "none",
        "lower_front": True,
        "cap_pattern": True,
        "cap_mark": True,
        "cap_size": True,
        "shoes_sleeves": True,
        "shoes_hem": True,
        "shoes_cloth_mark": True,
        "shoes_cloth_size": True,
        "shoes_fit": True,
        "shoes_front": True,
    }
    row |= {
        name: "none"
        for name in row
        for start, hidden in unseen.items()
        if hidden and name.startswith(start) and name != "upper_kind"
    }
    row |= {
        f"{part}_{end}": "none"
        for part in ("upper_cloth", "lower_cloth", "bag_cloth")
        if row[f"{part}_pattern"] == "plain"
        for end in ("mark", "mark_infrared", "size")
    }
    twin = twins and family(number) != number
    row["twin_of"] = str(family(number)) if twin else "none"
    row["differs_in"] = _twin(seed, number)[1] if twin else "none"
    return row
