"""Test images as points in embedding space: distances within and between people, the modality gap, the views."""
