"""The baseline for fsclib: the method without fsclib's three algebraic shortcuts, in the style of the published programs.

It is vectorised where those programs are, loops where they do, and keeps in memory what they keep. Nothing is copied from them
and nothing here imports fsclib; tests check that values and gradients of the losses equal those of fsclib.
"""
