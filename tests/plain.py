"""Losses and retrieval measures written as plain loops: slow, but easy to compare with the formulas of a paper.

Losses take float64 tensors and return a differentiable float64 scalar; measures take lists and return floats.
Nothing here imports the package.
"""

import math

import torch


def distance(x, y):
    squared = sum((a - b) ** 2 for a, b in zip(x, y, strict=True))
    return torch.sqrt(torch.clamp(squared, min=1e-12))


def normalised(features):
    return torch.stack([row / torch.sqrt(torch.sum(row**2)) for row in features])


def mean(values):
    return sum(values) / len(values)


def hinge(value):
    return value if value > 0 else 0 * value


def identity(logits, labels):
    losses = []
    for view in logits:
        for row, label in zip(view, labels, strict=True):
            losses.append(torch.log(torch.sum(torch.exp(row))) - row[label])
    return mean(losses)


def batch_hard_triplet(features, labels, margin=0.3):
    features = normalised(features)
    losses = []
    for i, anchor in enumerate(labels):
        positives = [distance(features[i], features[j]) for j, label in enumerate(labels) if label == anchor]
        negatives = [distance(features[i], features[j]) for j, label in enumerate(labels) if label != anchor]
        losses.append(hinge(margin + max(positives) - min(negatives)) if negatives else 0 * features[i].sum())
    return mean(losses)


def weighted_regularised_triplet(features, labels):
    losses = []
    for i, anchor in enumerate(labels):
        distances = [distance(features[i], row) for row in features]
        masked_positive = [d if label == anchor else 0 * d for d, label in zip(distances, labels, strict=True)]
        masked_negative = [-d if label != anchor else 0 * d for d, label in zip(distances, labels, strict=True)]
        pull = [(d, torch.exp(d - max(masked_positive))) for d, label in zip(distances, labels, strict=True) if label == anchor]
        push = [(d, torch.exp(-d - max(masked_negative))) for d, label in zip(distances, labels, strict=True) if label != anchor]
        positive = sum(d * e for d, e in pull) / (sum(e for _, e in pull) + 1e-6)
        negative = sum(d * e for d, e in push) / (sum(e for _, e in push) + 1e-6)
        losses.append(torch.log(1 + torch.exp(positive - negative)))
    return mean(losses)


def center_pair_mining(view_0, view_k, labels, margin=0.2):
    half = len(labels) // 2
    rows = {"V": range(half), "I": range(half, 2 * half)}

    def center(view, modality, i):
        return mean([view[row] for row in rows[modality] if labels[row] == i])

    def nearest_other(view, modality, i):
        return min(distance(center(view, modality, i), center(view, modality, j)) for j in identities if j != i)

    seen = {modality: {int(labels[row]) for row in rows[modality]} for modality in rows}
    identities = sorted(seen["V"] & seen["I"])
    if not identities:
        return 0 * (view_0.sum() + view_k.sum())
    halves = []
    for own, other in (("V", "I"), ("I", "V")):
        first, second, third = [], [], []
        for i in identities:
            across = distance(center(view_0, other, i), center(view_k, own, i))
            within = distance(center(view_0, own, i), center(view_k, own, i)).detach()
            first.append(hinge(margin + across - within))
            if len(identities) > 1:
                second.append(hinge(margin + across - nearest_other(view_k, own, i)))
                third.append(hinge(margin + across - nearest_other(view_0, own, i)))
        halves.append(mean(first) + (mean(second) / 2 + mean(third) / 2 if second else 0))
    return (halves[0] + halves[1]) / 2


def orthogonality(features):
    _, view_1, view_2 = features
    return sum(sum(a * b for a, b in zip(x, y, strict=True)) for x, y in zip(view_1, view_2, strict=True)) / (3 * len(view_1))


def top_ranking(features, labels, margin=0.5, intra_margin=0.1, intra_weight=0.1):
    features, half, terms = normalised(features), len(labels) // 2, []
    for i, anchor in enumerate(labels):
        others = range(half, 2 * half) if i < half else range(half)
        positives = [j for j in others if labels[j] == anchor]
        negatives = [j for j in others if labels[j] != anchor]
        if not positives or not negatives:
            continue
        furthest = max(positives, key=lambda j: distance(features[i], features[j]))
        closest = min(negatives, key=lambda j: distance(features[i], features[j]))
        between = distance(features[i], features[furthest]) - distance(features[i], features[closest])
        terms.append(hinge(margin + between))
        terms.append(intra_weight * hinge(intra_margin - distance(features[furthest], features[closest])))
    return sum(terms) / half if terms else 0 * features.sum()


def is_dropped(protocol, query_id, query_cam, gallery_id, gallery_cam):
    if protocol == "sysu":
        return query_cam == 3 and gallery_cam == 2
    if protocol in ("llcm", "standard"):
        return query_id == gallery_id and query_cam == gallery_cam
    return False


def retrieve(similarities, query_id, query_cam, gallery_ids, gallery_cams, protocol):
    """(average precision, inverse negative penalty, [hit at 1, …, hit at 20]) of one query; None without a true match."""
    ranking = sorted(range(len(gallery_ids)), key=lambda entry: -similarities[entry])  # stable: ties in gallery order
    listed = []
    for entry in ranking:
        if not is_dropped(protocol, query_id, query_cam, gallery_ids[entry], gallery_cams[entry]):
            listed.append(gallery_ids[entry])
    if query_id not in listed:
        return None
    found, precisions = 0, []
    for rank, gallery_id in enumerate(listed, start=1):
        if gallery_id == query_id:
            found += 1
            precisions.append(found / rank)
            last = rank
    if protocol in ("sysu", "llcm"):
        listed = list(dict.fromkeys(listed))  # each identity's first appearance
    hits = [1.0 if query_id in listed[:k] else 0.0 for k in range(1, 21)]
    return math.fsum(precisions) / found, found / last, hits


def evaluate(similarity, query_ids, gallery_ids, query_cams, gallery_cams, protocol):
    """The result of `retrieve` per query, then (CMC, mAP, mINP) over the queries with a match, None if there are none."""
    results = [
        retrieve(row, query_id, query_cam, gallery_ids, gallery_cams, protocol)
        for row, query_id, query_cam in zip(similarity, query_ids, query_cams, strict=True)
    ]
    counted = [result for result in results if result is not None]
    if not counted:
        return results, None
    precisions, penalties, hits = zip(*counted, strict=True)
    return results, ([mean(column) for column in zip(*hits, strict=True)], mean(precisions), mean(penalties))
