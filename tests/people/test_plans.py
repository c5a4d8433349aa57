"""Plans of synthetic corpora: the originals' exact sizes and camera gaps, and near twins that are never split."""

import re
import tracemalloc
from collections import Counter, defaultdict

import pytest

from fsclib.config.specs import DATASETS
from synthpeople.drawing import family
from synthpeople.plans import PLANS, divide
from synthpeople.randomness import TRACK_LENGTH, stream
from synthpeople.sizes import FULL, Size, spread

SEED = 3
TOTALS = {  # identities and images by split and modality
    "sysu": {
        ("train", "visible"): (395, 22_258),
        ("train", "infrared"): (395, 11_909),
        ("test", "visible"): (96, 6_775),
        ("test", "infrared"): (96, 3_803),
    },
    "llcm": {
        ("train", "visible"): (713, 16_946),
        ("train", "infrared"): (713, 13_975),
        ("test", "visible"): (351, 8_680),
        ("test", "infrared"): (351, 7_166),
    },
}


def numbers(text: str) -> set[int]:
    found = [int(word) for word in text.split(",")]
    assert found == sorted(set(found))
    return set(found)


def listed(plan, index: str) -> list[int]:
    """Identities, by the folders of the images, in a file of lines `path label`."""
    return [int(identity) for identity in re.findall(r"^\w+/(\d+)/\S+ \d+$", plan.texts[index], re.M)]


def halves(plan, trial: int) -> dict[str, set[int]]:
    """Identities of a trial of RegDB by split, as the index files of both modalities list them."""
    found = {}
    for split in ("train", "test"):
        visible, thermal = (Counter(listed(plan, f"idx/{split}_{name}_{trial}.txt")) for name in ("visible", "thermal"))
        assert visible == thermal
        assert set(visible.values()) == {10}
        found[split] = set(visible)
    return found


def splits(layout: str, plan) -> list[dict[str, set[int]]]:
    """Every division of the identities that a plan's index files make."""
    if layout == "regdb":
        return [halves(plan, trial) for trial in range(1, 11)]
    if layout == "sysu":
        return [{split: numbers(plan.texts[f"exp/{split}_id.txt"]) for split in ("train", "val", "test")}]
    visible, infrared = (set(listed(plan, f"idx/train_{short}.txt")) for short in ("vis", "nir"))
    assert visible == infrared
    return [{"train": visible, "test": numbers(plan.texts["idx/test_id.txt"])}]


@pytest.fixture(scope="module")
def full():
    return {layout: PLANS[layout](FULL[layout], SEED) for layout in PLANS}


@pytest.mark.parametrize("layout", list(TOTALS))
def test_a_full_plan_has_the_size_of_the_original(full, layout):
    (parts,) = splits(layout, full[layout])
    found = defaultdict(Counter)
    for shot in full[layout].shots:
        found["test" if shot.identity in parts["test"] else "train", shot.modality][shot.identity] += 1
    assert {key: (len(count), count.total()) for key, count in found.items()} == TOTALS[layout]
    for row in (part for part in DATASETS[layout].reported if part.split != "gallery"):
        assert (len(found[row.split, row.modality]), found[row.split, row.modality].total()) == (row.identities, row.images)
    if layout == "sysu":
        assert (len(parts["train"]), len(parts["val"])) == (296, 99)


def test_a_full_regdb_has_ten_images_per_person_and_ten_different_splits(full):
    count = Counter((shot.identity, shot.modality) for shot in full["regdb"].shots)
    assert count == {(identity, modality): 10 for identity in range(1, 413) for modality in ("visible", "thermal")}
    trials = splits("regdb", full["regdb"])
    assert [(len(trial["train"]), len(trial["test"])) for trial in trials] == [(206, 206)] * 10
    assert len({frozenset(trial["train"]) for trial in trials}) == 10


def test_sysu_has_301_pairs_of_a_test_identity_and_a_visible_camera(full):
    (parts,) = splits("sysu", full["sysu"])
    cameras = {modality: defaultdict(set) for modality in ("visible", "infrared")}
    for shot in full["sysu"].shots:
        cameras[shot.modality][shot.identity].add(shot.camera)
    assert sum(len(cameras["visible"][identity]) for identity in parts["test"]) == 301
    assert set.union(*cameras["visible"].values()) == {1, 2, 4, 5}
    assert set.union(*cameras["infrared"].values()) == {3, 6}
    assert {len(seen) for seen in cameras["visible"].values()} == {2, 3, 4}
    assert {len(cameras["infrared"][identity]) for identity in range(1, 492)} == {1, 2}


def test_llcm_has_no_infrared_test_image_of_camera_3(full):
    (parts,) = splits("llcm", full["llcm"])
    cameras = {(split, modality): set() for split in parts for modality in ("visible", "infrared")}
    passed = defaultdict(set)
    for shot in full["llcm"].shots:
        cameras["test" if shot.identity in parts["test"] else "train", shot.modality].add(shot.camera)
        passed[shot.identity, shot.modality].add(shot.camera)
    assert cameras.pop(("test", "infrared")) == {1, 2, 4, 5, 6, 7, 8, 9}
    assert all(seen == set(range(1, 10)) for seen in cameras.values())
    assert {len(passed[identity, "visible"]) for identity in range(1, 1065)} == {4, 5, 6}
    assert min(len(passed[identity, "infrared"]) for identity in range(1, 1065)) == 3


@pytest.mark.parametrize("layout", list(PLANS))
def test_images_of_a_track_are_numbered_and_their_counts_vary(full, layout):
    tracks = defaultdict(list)
    for shot in full[layout].shots:
        tracks[shot.identity, shot.camera, shot.modality].append(shot.index)
    assert all(indexes == list(range(len(indexes))) for indexes in tracks.values())
    counts = Counter(map(len, tracks.values()))
    if layout == "regdb":
        assert counts.keys() == {10}
    else:
        assert len(counts) > 5
        assert max(counts) < 8 * min(counts)


@pytest.mark.parametrize("layout", list(PLANS))
def test_paths_are_unique_and_index_files_name_nothing_else(full, layout):
    paths = [shot.path for shot in full[layout].shots]
    assert len(set(paths)) == len(paths)
    named = {path for text in full[layout].texts.values() for path in re.findall(r"^(\S+) \d+$", text, re.M)}
    assert named <= set(paths)
    assert bool(named) == (layout != "sysu")


def test_names_of_sysu(full):
    for shot in full["sysu"].shots[::97]:
        assert shot.path == f"cam{shot.camera}/{shot.identity:04d}/{shot.index + 1:04d}.jpg"


@pytest.mark.parametrize("images", [12, 999])
def test_names_of_llcm_distinguish_walks(images):
    walks = defaultdict(list)
    for shot in PLANS["llcm"](Size(4, 2, images), SEED).shots:
        found = re.fullmatch(r"(\d{4})_c(\d{2})_s(\d\d)(\d\d)(\d\d)_f(\d{4})_(vis|nir)\.jpg", shot.path.rpartition("/")[2])
        identity, camera, hours, minutes, seconds, frame = map(int, found.groups()[:-1])
        assert (identity, camera, found[7]) == (shot.identity, shot.camera, {"visible": "vis", "infrared": "nir"}[shot.modality])
        assert (hours < 24, minutes < 60, seconds < 60) == (True, True, True)
        walk = walks[identity, camera, shot.modality, shot.index // TRACK_LENGTH]
        assert len(walk) == shot.index % TRACK_LENGTH
        walk.append((hours * 3600 + minutes * 60 + seconds, frame))
    times = defaultdict(set)
    for (*track, _), walk in walks.items():
        assert len({time for time, _ in walk}) == 1
        assert [frame for _, frame in walk] == sorted({frame for _, frame in walk})
        assert walk[0][0] not in times[tuple(track)]
        times[tuple(track)].add(walk[0][0])
    assert all(len(seen) == -(-images // TRACK_LENGTH) for seen in times.values())


@pytest.mark.parametrize("layout", list(PLANS))
@pytest.mark.parametrize("identities", [*range(4, 27), None])
def test_no_split_separates_near_twins(full, layout, identities):
    train = identities and max(2, round(identities * 0.45))
    plan = PLANS[layout](Size(identities, train, 1), identities) if identities else full[layout]
    everyone = range(1, (identities or FULL[layout].identities) + 1)
    for parts in splits(layout, plan):
        assert sorted(identity for people in parts.values() for identity in people) == list(everyone)
        side = {identity: split for split, people in parts.items() for identity in people}
        assert all(side[identity] == side[family(identity)] for identity in everyone)
        expected = len(everyone) // 2 if layout == "regdb" else train or FULL[layout].train
        assert sum(len(people) for split, people in parts.items() if split != "test") == expected
        assert all(parts.values())
    if not identities:
        assert any(family(identity) != identity for identity in parts["test"])


def test_dividing_people_who_all_have_twins():
    everyone = [5, 6, 11, 12, 17, 18]
    for seed in range(20):
        for requested, given in {1: 2, 2: 2, 3: 2, 4: 4, 5: 4}.items():
            chosen, others = divide(everyone, requested, stream(1, seed))
            assert len(chosen) == given
            assert sorted(chosen + others) == everyone
            assert {family(identity) for identity in chosen}.isdisjoint(map(family, others))


@pytest.mark.parametrize("people", [range(1, 7), range(1, 13), (1, 5, 6, 11, 12)])
def test_a_division_has_the_requested_size_and_a_person_without_a_twin(people):
    twins = {5, 6, 11, 12}
    for seed in range(40):
        for number in range(1, len(people)):
            chosen, others = divide(people, number, stream(1, seed))
            assert (len(chosen), len(others)) == (number, len(people) - number)
            assert not twins.issuperset(chosen) or len(people) == 5  # with a single such person, who may be on either side


def test_dividing_differs_from_seed_to_seed_and_treats_people_alike():
    drawn = [tuple(divide(range(1, 13), 6, stream(1, seed))[0]) for seed in range(300)]
    assert len(set(drawn)) > 50
    counts = Counter(identity for chosen in drawn for identity in chosen)
    assert min(counts[identity] for identity in range(1, 13)) > 90
    assert max(counts.values()) < 210


def test_another_seed_makes_another_plan():
    size = Size(12, 8, 2)
    for plan in PLANS.values():
        assert plan(size, 1) == plan(size, 1) != plan(size, 2)


@pytest.mark.parametrize(("total", "tracks"), [(301, 301), (302, 301), (6775, 301), (13, 1)])
def test_spreading_is_exact_and_leaves_no_track_empty(total, tracks):
    counts = spread(total, tracks, 1)
    assert (len(counts), sum(counts)) == (tracks, total)
    assert min(counts) >= 1
    assert counts == spread(total, tracks, 1)
    if total == 6775:
        assert counts != spread(total, tracks, 2)
        assert max(counts) > 1.5 * min(counts)


def test_spreading_fewer_images_than_tracks_is_refused():
    with pytest.raises(ValueError, match="3 images for 4 tracks, expected at least one"):
        spread(3, 4, 1)


def test_the_largest_plan_is_small_in_memory(full):
    """Measured on a tenth of it, since tracing is slow: each image takes the same amount of memory."""
    tracemalloc.start()
    try:
        plan = PLANS["llcm"](Size(100, 67, 5), SEED)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(plan.shots) > 4_000
    assert len(full["llcm"].shots) == 46_767
    assert held / len(plan.shots) * 46_767 < 15e6
