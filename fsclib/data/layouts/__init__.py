"""The file layout of each data set."""
