"""Images on disk → records → cached pixels → batches. Independent of networks."""
