"""Images on disk → records → cached pixels → batches. Knows nothing of networks."""
