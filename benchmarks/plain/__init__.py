"""The baseline for fsclib: the method without its three identities, transcribed in the style of the published programs.

It is vectorised where those programs are, has loops where they do, and keeps in memory what they keep. Nothing is copied from
them and nothing imports fsclib; tests check that values and gradients of the losses equal those of fsclib.
"""
