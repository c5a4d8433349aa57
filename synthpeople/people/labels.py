"""Labels of surfaces, and the mask part that each belongs to."""

# Labels of surfaces; 0 is none. Plain integers, since arrays of them are compared often.
SKIN, FACE, EYES, HAIR, CAP, HOOD, UPPER, SLEEVE, UPPER_SKIRT, INNER, LOWER, SKIRT, DRESS, SHOES, SOLES, BAG, STRAP, GLASSES = (
    range(1, 19)
)

PARTS = (
    "background",
    "skin",
    "hair",
    "headwear",
    "upper garment",
    "lower garment",
    "shoes",
    "bag",
    "glasses",
    "obstacle",
    "other person",
)
OBSTACLE, OTHER_PERSON = PARTS.index("obstacle"), PARTS.index("other person")
PART_OF = {
    SKIN: "skin", FACE: "skin", EYES: "skin", HAIR: "hair", CAP: "headwear", HOOD: "headwear", UPPER: "upper garment",
    SLEEVE: "upper garment", UPPER_SKIRT: "upper garment", INNER: "upper garment", LOWER: "lower garment", SKIRT: "lower garment",
    DRESS: "lower garment", SHOES: "shoes", SOLES: "shoes", BAG: "bag", STRAP: "bag", GLASSES: "glasses",
}  # fmt: skip
