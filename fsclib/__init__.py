"""fsclib: visible-infrared person re-identification, from images on disk to figures of a paper."""

__version__ = "0.1.0"
