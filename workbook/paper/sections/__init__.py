"""The sections of a paper: their figures and tables, and how each is made."""
