"""The foundation: files, locks, progress and processes. Independent of images and networks."""
