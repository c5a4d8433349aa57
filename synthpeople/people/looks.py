"""The material of each pixel of a person, and its brightness in visible light, near infrared and the thermal band."""

from dataclasses import replace

import numpy as np

from synthpeople.people import labels
from synthpeople.people.identity import Cloth, Identity
from synthpeople.people.patterns import marked
from synthpeople.people.raster import Maps
from synthpeople.people.wardrobe import COLOURS, HAIRS, MATERIALS, SKINS

MODALITIES = ("visible", "infrared", "thermal")  # infrared: near infrared, lit by the camera; thermal: emitted by the body
EYES_AT, EYE_APART = np.float32(-0.137), np.float32(0.029)  # `along` and `around` of the eyes on a face
TORSO_SIDE = np.float32(0.236)  # `around` at the side of the trunk
OUTER = (labels.UPPER, labels.UPPER_SKIRT, labels.SLEEVE, labels.HOOD)
ALL_OVER = ("stripes", "bars", "checks", "print")  # patterns that continue on sleeves


def detailed(person: Identity, maps: Maps) -> Maps:
    """Adds labels for flat details of a surface: straps, the layer under an open front, soles, eyes, glasses."""
    label, around, along = maps.label.copy(), maps.around, maps.along
    side = np.abs(around)
    label[(label == labels.SHOES) & (along > np.float32(1.362))] = labels.SOLES
    face = np.flatnonzero(label == labels.FACE)
    x, y = side[face], along[face] - EYES_AT
    eyes = ((x - EYE_APART) / np.float32(0.013)) ** 2 + (y / np.float32(0.007)) ** 2 < 1
    label[face[eyes]] = labels.EYES
    if person.glasses:
        lenses = (np.abs(y) < np.float32(0.013)) & (np.abs(x - EYE_APART) < np.float32(0.021))
        temples = (np.abs(y) < np.float32(0.004)) & (x < np.float32(0.14))
        label[face[lenses | temples]] = labels.GLASSES
    trunk = np.flatnonzero((label == labels.UPPER) | (label == labels.DRESS))
    x, y, a = side[trunk], along[trunk], around[trunk]
    if person.upper.front != "closed":
        gap = np.float32(0.018) + np.float32(0.07) * y if person.upper.front == "open" else np.float32(0.011)
        label[trunk[(x < gap) & (label[trunk] == labels.UPPER)]] = labels.INNER
    below_the_collar = y > np.float32(0.02)
    if person.bag == "backpack":  # from the shoulders down the chest and round to the sides
        centre = np.float32(0.105) + np.clip((y - np.float32(0.14)) / np.float32(0.18), 0, 1) * np.float32(0.14)
        strap = (np.abs(x - centre) < np.float32(0.020)) & (y < np.float32(0.34)) & below_the_collar
        label[trunk[strap]] = labels.STRAP
    if person.bag == "shoulder bag":
        across = np.where(x > TORSO_SIDE, np.sign(a) * (2 * TORSO_SIDE - x), a) * np.float32(person.bag_side)
        strap = np.abs(across + np.float32(0.10) - np.float32(0.62) * y) < np.float32(0.016)
        label[trunk[strap & (y < np.float32(0.52)) & below_the_collar]] = labels.STRAP
    return replace(maps, label=label)


def cloth_of(person: Identity, label: int) -> Cloth | None:
    """The fabric of a label; None for skin, hair and the like."""
    upper = person.lower.cloth if person.upper.kind == "none" else person.upper.cloth
    match label:
        case labels.UPPER | labels.UPPER_SKIRT | labels.SLEEVE | labels.HOOD:
            return upper
        case labels.LOWER | labels.SKIRT | labels.DRESS:
            return person.lower.cloth
        case labels.INNER if person.lower.kind == "dress":
            return person.lower.cloth
        case labels.SHOES:
            return person.shoes.cloth
        case labels.BAG | labels.STRAP:
            return person.bag_cloth
        case labels.CAP:
            return person.cap
        case _:
            return None


def brightness(person: Identity, maps: Maps, modality: str, colour_in_infrared: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Brightness of the pixels in even light: values float32 (N, 3), 0 … 255; strengths of folds and sheen, float32 (N,).

    In "thermal" the values are the heat emitted by the surface, independent of light. maps: from `detailed`.
    """
    values = np.zeros((len(maps.label), 3), np.float32)
    folds, sheen = np.zeros(len(maps.label), np.float32), np.zeros(len(maps.label), np.float32)
    for label in np.flatnonzero(np.bincount(maps.label, minlength=1)):
        at = np.flatnonzero(maps.label == label)
        cloth = cloth_of(person, label)
        if cloth is None:
            values[at] = _bare(person, label, modality)
            folds[at] = 0.35 if label in (labels.HAIR, labels.INNER) else 0.0
            sheen[at] = 0.12 if label == labels.HAIR else 0.03
            continue
        ground, mark = tones(cloth, modality, colour_in_infrared, layers=1 + (person.upper.kind == "long coat" and label in OUTER))
        values[at] = ground
        pattern = cloth.pattern
        if (
            pattern != "plain"
            and label not in (labels.STRAP, labels.HOOD)
            and (label != labels.SLEEVE or pattern in ALL_OVER)
            and modality != "thermal"
        ):
            share = marked(pattern, maps.around[at], maps.along[at], cloth.size)[:, None]
            values[at] += share * (np.array(mark, np.float32) - np.array(ground, np.float32))
        material = MATERIALS[cloth.material]
        folds[at], sheen[at] = (
            material.folds * (0.4 if label in (labels.BAG, labels.SHOES, labels.CAP, labels.STRAP) else 1.0),
            material.sheen,
        )
    if person.glasses and modality != "thermal":  # glass transmits light but no heat
        lens = (maps.label == labels.GLASSES) & (np.abs(maps.along - EYES_AT) < np.float32(0.009))
        lens &= np.abs(np.abs(maps.around) - EYE_APART) < np.float32(0.016)
        values[lens] = np.float32(0.72) * np.array(_bare(person, labels.FACE, modality), np.float32)
    if modality == "thermal":
        values += _warmth(person, maps)[:, None]
    return values, folds, sheen


def _warmth(person: Identity, maps: Maps) -> np.ndarray:
    """Local deviations of the body's warmth from that of its surface, float32 (N,), grey levels."""
    along, label = maps.along, maps.label
    trunk = (
        np.isin(label, (labels.UPPER, labels.DRESS)) * np.clip(1 - np.abs(along - np.float32(0.16)) / np.float32(0.3), 0, 1) * 16
    )
    skin = label == labels.SKIN
    fingers = skin * np.clip((along - np.float32(0.5)) / np.float32(0.15), 0, 1) * (along < np.float32(0.7)) * -24
    shins = skin * np.clip((along - np.float32(0.85)) / np.float32(0.4), 0, 1) * -18
    nose = (
        (label == labels.FACE)
        * np.clip(1 - np.abs(maps.around) / np.float32(0.016), 0, 1)
        * (np.abs(along + np.float32(0.11)) < np.float32(0.02))
        * -36
    )
    if person.sweat:
        back = np.clip((np.abs(maps.around) - np.float32(0.28)) / np.float32(0.1), 0, 1)
        damp = back * np.clip(1 - np.abs(along - np.float32(0.15)) / np.float32(0.16), 0, 1)
        trunk = trunk - np.isin(label, (labels.UPPER, labels.DRESS)) * damp * 34
    return (trunk + fingers + shins + nose).astype(np.float32)


def tones(cloth: Cloth, modality: str, colour_in_infrared: float, layers: int = 1) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Ground and mark of a cloth, three values 0 … 255 each. layers: number of layers between body and outside."""
    if modality == "visible":
        return COLOURS[cloth.colour], COLOURS[cloth.mark]
    if modality == "thermal":
        heat = 70 + 150 * MATERIALS[cloth.material].warmth / (1 + 0.35 * (layers - 1))
        return (heat,) * 3, (heat,) * 3
    own = 1 - colour_in_infrared
    ground, mark = (
        255 * (own * reflectance + colour_in_infrared * luminance(COLOURS[name]) / 255)
        for reflectance, name in ((cloth.infrared, cloth.colour), (cloth.mark_infrared, cloth.mark))
    )
    return (ground,) * 3, (mark,) * 3


def luminance(rgb: tuple[int, int, int]) -> float:
    """0 … 255, weights of ITU-R BT.601."""
    return 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]


def _bare(person: Identity, label: int, modality: str) -> tuple[float, ...]:
    """The tone of anything but cloth, three values 0 … 255."""
    skin, hair = SKINS[person.skin], HAIRS[person.hair_colour]
    if modality == "visible":
        colours = {
            labels.SKIN: skin,
            labels.FACE: skin,
            labels.HAIR: hair,
            labels.EYES: tuple(0.35 * c for c in skin),
            labels.GLASSES: (38, 36, 38),
        }
        colours |= {
            labels.SOLES: (205, 203, 198) if person.shoes.kind == "sneakers" else (52, 48, 46),
            labels.INNER: COLOURS[person.inner],
        }
        return colours[label]
    if modality == "infrared":
        of_hair = 70 + 0.35 * luminance(hair)
        table = {
            labels.SKIN: 186,
            labels.FACE: 192,
            labels.HAIR: of_hair,
            labels.EYES: 62,
            labels.GLASSES: 78,
            labels.SOLES: 120,
            labels.INNER: 165,
        }
    else:
        table = {
            labels.SKIN: 214,
            labels.FACE: 232,
            labels.HAIR: 140,
            labels.EYES: 236,
            labels.GLASSES: 112,
            labels.SOLES: 104,
            labels.INNER: 180,
        }
    return (table[label],) * 3
