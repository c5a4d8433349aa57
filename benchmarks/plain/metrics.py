"""CMC, mAP and mINP, by sorting every list and looping over queries, under the protocols of the three data sets."""

import numpy as np

RANKS = 20


def evaluate(similarity, query_ids, gallery_ids, query_cams=None, gallery_cams=None, protocol="regdb"):
    """CMC (20,), mAP, mINP of similarity (Q, G); gallery of at least 20 identities."""
    order = np.argsort(-similarity, axis=1)
    matches = gallery_ids[order] == query_ids[:, None]
    hits, precisions, penalties = [], [], []
    for query in range(len(similarity)):
        listed, found = gallery_ids[order[query]], matches[query]
        if protocol != "regdb":
            cameras = gallery_cams[order[query]]
            unseen = (query_cams[query] == 3) & (cameras == 2) if protocol == "sysu" else found & (cameras == query_cams[query])
            listed, found = listed[~unseen], found[~unseen]
        if not found.any():
            continue
        cmc = found
        if protocol != "regdb":
            first = np.unique(listed, return_index=True)[1]
            cmc = found[np.sort(first)]
        hits.append(np.minimum(cmc.cumsum(), 1)[:RANKS])
        cumulative = found.cumsum()
        precision = np.array([count / (rank + 1.0) for rank, count in enumerate(cumulative)])  # one by one, as published
        precisions.append((precision * found).sum() / found.sum())
        last = np.flatnonzero(found)[-1]
        penalties.append(cumulative[last] / (last + 1.0))
    return np.mean(hits, axis=0), float(np.mean(precisions)), float(np.mean(penalties))


def similarity(queries, gallery):
    """Six pairs of features (Q, D) and (G, D), pooled and neck features of three views → (Q, G), one product at a time."""
    return sum(np.matmul(query, entry.T) for query, entry in zip(queries, gallery, strict=True))
