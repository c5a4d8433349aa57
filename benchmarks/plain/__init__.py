"""METHOD, transcribed without its three identities and in the ways of the published programs: what fsclib is measured against.

Vectorised where those programs are, with loops where they have them; it holds what they hold. Nothing here is copied from them,
nothing here imports fsclib, and tests hold it equal to fsclib: values, and gradients of the losses.
"""
