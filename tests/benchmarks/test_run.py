"""The benchmarks run from end to end and save their results; no test asserts how fast anything is."""

import json
from dataclasses import replace

import pytest
import torch

from benchmarks import hardware, measure, results, run
from benchmarks.arithmetic import flops, matrix_peak
from benchmarks.case import SIDES, Setting
from benchmarks.cases import CASES
from benchmarks.scaling import SCALINGS
from benchmarks.sizes import GPU, ONCE, PROCESSOR, QUICK, Repeats
from benchmarks.timing import alternate, spread

CURVES = ["embed-by-batch", "metrics-by-gallery", "similarity-by-gallery", "decoding-by-workers"]  # others differ only in size


class Clock:
    """A clock that advances only during work."""

    def __init__(self):
        self.now, self.calls = 0.0, []

    def __call__(self) -> float:
        return self.now

    def work(self, name: str, *seconds: float):
        """A function whose calls take these seconds in turn, and the last of them from then on."""
        left = list(seconds)

        def work():
            self.calls.append(name)
            self.now += left.pop(0) if len(left) > 1 else left[0]

        return work


def test_functions_take_turns_and_the_warm_up_does_not_count():
    clock = Clock()
    works = {"plain": clock.work("plain", 100.0, 4.0), "fsclib": clock.work("fsclib", 50.0, 1.0, 2.0, 3.0)}
    seconds = alternate(works, Repeats(warm_up=1, fewest=3, most=3), clock=clock)
    assert seconds == {"plain": [4.0, 4.0, 4.0], "fsclib": [1.0, 2.0, 3.0]}
    assert clock.calls == ["plain", "fsclib"] * 2 + ["fsclib", "plain"] + ["plain", "fsclib"]


@pytest.mark.parametrize(("each", "rounds"), [(30.0, 2), (1.0, 10), (0.01, 50)], ids=["slow", "until time is up", "fast"])
def test_rounds_end_when_time_is_up(each, rounds):
    clock = Clock()
    repeats = Repeats(warm_up=0, fewest=2, most=50, seconds=10.0)
    assert len(alternate({"only": clock.work("only", each)}, repeats, clock=clock)["only"]) == rounds


def test_time_includes_waiting_for_the_device_but_not_earlier_work():
    clock = Clock()
    waits = iter([5.0, 0.5] * 2)  # before a call, after it

    def wait():
        clock.now += next(waits)

    assert alternate({"only": clock.work("only", 1.0)}, Repeats(0, 2, 2), wait, clock) == {"only": [1.5, 1.5]}


def test_spread_is_median_and_quartiles():
    found = spread([5.0, 1.0, 2.0, 4.0, 3.0])
    assert (found.median, found.low, found.high, found.number) == (3.0, 2.0, 4.0, 5)
    with pytest.raises(ValueError, match="no measurements"):
        spread([])


def test_flops_match_those_counted_by_hand():
    a, b = torch.ones(3, 4, requires_grad=True), torch.ones(4, 5, requires_grad=True)
    assert flops(lambda: a @ b) == 2 * 3 * 4 * 5
    assert flops(lambda: (a @ b).sum().backward()) == 3 * 2 * 3 * 4 * 5  # a product forward, two backward
    assert matrix_peak("cpu", "float32", 64) > 0


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """The results file of a quick run."""
    file = tmp_path_factory.mktemp("results") / "benchmarks" / "here.json"
    run.main(["--quick", "--only", *CASES, *CURVES, "--out", str(file)])
    return file


@pytest.mark.long("every benchmark")
def test_every_case_and_curve_from_end_to_end(everything):
    found = json.loads(everything.read_text())
    assert found["machine"] == hardware.name_of("cpu")
    assert list(found["cases"]) == list(CASES)
    assert list(found["curves"]) == CURVES
    for name, case in found["cases"].items():
        assert case["speedup"]["median"] > 0, name
        assert case["environment"]["matrix_peak"].keys() == {"float32", "bfloat16"}
        for side in SIDES:
            assert case[side]["seconds"]["low"] > 0, name
            assert case[side]["megabytes"] >= 0, name
            assert case[side]["per_second"] > 0, name
        if name.startswith(("train", "embed")):
            assert 0 < case["fsclib"]["share_of_peak"] < 10
    assert found["cases"]["train-float32"]["plain"]["megabytes"] > 4 * 2 * 91  # all weights, momenta of the used ones
    assert found["cases"]["train-float32"]["flops"] == found["cases"]["train-bfloat16"]["flops"]
    assert found["cases"]["open"]["plain_share"] < 1
    for name, curves in found["curves"].items():
        for curve, points in curves["curves"].items():
            assert points, (name, curve)
            assert all(point["median"] > 0 for point in points.values())
    for kind in ("png", "pdf"):
        assert everything.with_suffix(f".{kind}").stat().st_size > 10_000


@pytest.mark.long("every benchmark")
def test_a_new_measurement_replaces_only_its_own_results(everything, tmp_path, capsys):
    file = tmp_path / "here.json"
    file.write_text(everything.read_text())
    run.main(["--quick", "--only", "losses", "metrics-by-gallery", "--out", str(file)])
    assert "losses: 48 × 2048: " in capsys.readouterr().out
    first, second = (json.loads(path.read_text()) for path in (everything, file))
    for kind, again in (("cases", "losses"), ("curves", "metrics-by-gallery")):
        assert first[kind].keys() == second[kind].keys()
        assert [name for name in first[kind] if first[kind][name] != second[kind][name]] == [again]


@pytest.mark.parametrize("name", SCALINGS)
@pytest.mark.parametrize("sizes", [PROCESSOR, GPU, QUICK], ids=["processor", "GPU", "quick"])
def test_points_of_a_curve_differ_and_need_increasing_memory(name, sizes, tmp_path):
    scaling = SCALINGS[name]
    points = scaling.sizes(sizes)
    assert list(points) == sorted(points)
    assert len({repr(point) for point in points.values()}) == len(points)
    needed = [scaling.needed(Setting("cpu", point, ONCE, tmp_path)) for point in points.values()]
    assert needed == sorted(needed)


def test_a_point_that_does_not_fit_into_memory_is_skipped_and_named(monkeypatch, tmp_path):
    monkeypatch.setattr(measure, "memory", lambda: 100 * 8 * 3 * 2048 * 2)  # twice the features of a hundred images
    found = measure.curves("similarity-by-gallery", Setting("cpu", QUICK, ONCE, tmp_path), ONCE)
    assert found["curves"]["fsclib"].keys() == {"100"}
    assert found["skipped"].keys() == {"200"}


def test_a_curve_too_large_for_the_gpu_does_not_stop_the_others(monkeypatch, tmp_path):
    def too_large(setting, given):
        raise torch.OutOfMemoryError

    scaling = SCALINGS["metrics-by-gallery"]
    case, side = scaling.curves["plain"]
    curves = scaling.curves | {"plain": (replace(case, plain=too_large), side)}
    monkeypatch.setitem(SCALINGS, "metrics-by-gallery", replace(scaling, curves=curves))
    found = measure.curves("metrics-by-gallery", Setting("cpu", QUICK, ONCE, tmp_path), ONCE)
    assert found["curves"]["plain"] == {}
    assert found["curves"]["fsclib"].keys() == {"100", "200"}
    assert found["skipped"]["100"] == "takes more memory than the GPU has (plain)"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--only", "losses", "loses"], "'loses'"),
        (["--device", "tpu"], "'tpu'"),
        (["--device", "cuda"], "torch sees no GPU"),
    ],
)
def test_invalid_arguments_are_refused(words, message, monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit, match="2"):
        run.main(words)
    text = capsys.readouterr().err
    assert message in text
    if "--only" in words:
        assert all(name in text for name in (*CASES, *SCALINGS))


@pytest.mark.parametrize("text", ["", "{}", '{"cases": [], "curves": {}}', '{"machine": "other", "cases": {}, "curves": {}}'])
def test_a_foreign_file_is_left_alone(tmp_path, text, capsys):
    file = tmp_path / "here.json"
    file.write_text(text)
    with pytest.raises(SystemExit, match="2"):
        run.main(["--quick", "--only", "losses", "--out", str(file)])
    assert file.read_text() == text
    assert f"{file} " in capsys.readouterr().err


def test_a_file_is_named_after_its_machine():
    assert hardware.slug("AMD EPYC 9B14 (64-Core), 2 cores") == "amd-epyc-9b14-64-core-2-cores"
    assert hardware.slug("NVIDIA H200") == "nvidia-h200"


def test_missing_results_are_empty(tmp_path):
    assert results.read(tmp_path / "none.json", "here") == {"cases": {}, "curves": {}}
