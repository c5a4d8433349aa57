"""Clothes, headwear and bags that a body wears, as surfaces around it."""
