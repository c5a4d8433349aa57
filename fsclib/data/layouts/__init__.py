"""File layouts: modules with `read(root, trial, spec)`, and `training_index` and `retrieval_index`, which name the index files."""
