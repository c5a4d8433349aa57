"""From networks and images to embeddings, ranked lists and metrics."""
