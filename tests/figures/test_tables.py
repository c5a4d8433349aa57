"""LaTeX tables: they compile and hold the cells of their frame, and comparisons are printed as a paper prints them."""

import re
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest

from fsclib.analysis.comparison import Comparison
from fsclib.figures import tables
from fsclib.metrics.differences import FIGURES

COMPILER = next((name for name in ("pdflatex", "tectonic") if shutil.which(name)), None)
VARIANTS = ("none", "frequency", "frequency + spatial")
EIGHT = [
    "none", "frequency", "channel", "spatial", "frequency + channel", "frequency + spatial", "channel + spatial",
    "frequency + channel + spatial",
]  # fmt: skip
ORDERS = ["frequency + channel + spatial", "spatial + channel + frequency", "channel + frequency + spatial"]


def effects(variants=VARIANTS, several=True, protocols=("paper.vis2ir", "paper.ir2vis")):
    """Effects as compare returns them: mean and difference of each variant are 10 above those of the previous one."""
    rows = []
    for protocol in protocols:
        for figure in FIGURES:
            for number, variant in enumerate(variants):
                behind = len(variants) - 1 - number
                row = {"protocol": protocol, "setting": f"{protocol}, → in words", "figure": figure, "variant": variant}
                row |= dict.fromkeys(("runs", "seeds"), 3 if several else 1) | {"mean": 20.0 + 10 * number}
                row |= {"std": 1.25 if several else np.nan, "difference": 10.0 * number if number else np.nan}
                row |= {"p": 0.2 if several and number else np.nan, "primary": (protocol, figure) == (protocols[-1], "rank1")}
                row |= {"p_holm": 0.004 if row["primary"] and several and number else np.nan, "detectable": row["p"]}
                rows.append(row | {"significant": row["p_holm"] < 0.05, "place": (1, 2, 0)[min(behind, 2)]})
    table = pd.DataFrame(rows)
    table = table.assign(low=table["difference"] - 3, high=table["difference"] + 2)
    wide = 9 if several else np.nan
    return table.assign(low_seeds=table["low"] - wide, high_seeds=table["high"] + wide)


def comparison(switch="modules", **values):
    notes, refused = ("Small: 12 people.", "A & B, 100 %."), ("channel: epochs: 5 vs 8",)
    table = effects(**values)
    return Comparison(switch, table["variant"].iloc[0], table, notes, refused)


def costs(variants=VARIANTS):
    sizes = {"parameters": 12_345_678, "multiply_adds": 1_500_000_000, "milliseconds": 3.456, "megabytes": 789.4}
    return pd.DataFrame([{"variant": name, **sizes, "device": "cpu", "precision": "float32", "threads": 2} for name in variants])


def lines(text):
    """The cells of each line between the first and the last rule."""
    body = text.split(r"\toprule")[1].split(r"\bottomrule")[0]
    rows = [line.removeprefix(r"\addlinespace ").removesuffix(r"\\") for line in body.splitlines() if "&" in line]
    return [[cell.strip() for cell in re.split(r"(?<!\\)&", row)] for row in rows]


def compiled(text, folder):
    """The PDF of a plain article with this table, and the output of the compiler."""
    if COMPILER is None:
        pytest.skip("neither pdflatex nor tectonic is installed")
    article = rf"\documentclass{{article}}\usepackage{{booktabs,graphicx}}\begin{{document}}{text}\end{{document}}"
    (folder / "a.tex").write_text(article, encoding="utf-8")
    args = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "a.tex"] if COMPILER == "pdflatex" else ["tectonic", "a.tex"]
    result = subprocess.run(args, cwd=folder, capture_output=True, timeout=120)
    assert result.returncode == 0, result.stdout.decode("latin-1")[-2000:]
    return (folder / "a.pdf").read_bytes(), (result.stdout + result.stderr).decode("latin-1")


def test_cells_match_the_frame():
    frame = pd.DataFrame({"method": ["a", None], "rank1": [1.234, np.nan], "Δ": [-2.0, 0.5], "runs": [3, -1]})
    text = tables.latex(frame, caption="c", label="tab:x", precision=1)
    assert lines(text) == [
        ["method", "rank1", r"$\Delta$", "runs"],
        ["a", "1.2", "$-$2.0", "3"],
        ["--", "--", "0.5", "$-$1"],
    ]
    assert r"\begin{tabular}{@{}lrrr@{}}" in text
    assert re.findall(r"\\(\w+rule|caption|label)", text) == ["caption", "label", "toprule", "midrule", "bottomrule"]


def test_the_requested_cells_are_bold_or_underlined():
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    bold, underline = np.eye(2, dtype=bool), np.array([[True, True], [False, False]])
    text = tables.latex(frame, caption="", label="x", bold=bold, underline=underline)
    assert lines(text)[1:] == [[r"\underline{\textbf{1.00}}", r"\underline{3.00}"], ["2.00", r"\textbf{4.00}"]]


def test_wide_tables_use_small_print_and_gaps_precede_their_rows():
    frame = pd.DataFrame({"a": ["x", "y" * 60, "z"], "b": 1})
    for times, size in ((1, "small"), (10, "footnotesize"), (40, "scriptsize")):
        assert rf"\{size}\set" in tables.latex(frame.rename(columns={"b": "b" * times}), caption="", label="x")
    text = tables.latex(frame, caption="", label="x", gaps=[2])
    assert [line.startswith(r"\addlinespace ") for line in text.splitlines() if line.endswith(r"& 1 \\")] == [False, False, True]


def test_special_characters_are_escaped():
    frame = pd.DataFrame({"a_b": [r"[x] \today 5 % of $3 & #1 {~^}", "*"]})
    text = tables.latex(frame, caption="two\n\nparagraphs <b> | ✓ ±", label="x")
    assert r"{[}x] \textbackslash{}today 5 \% of \$3 \& \#1 \{\textasciitilde{}\textasciicircum{}\} \\" in text
    assert r"{*} \\" in text
    assert r"\caption{two paragraphs $<$b$>$ $|$ $\surd$ $\pm$}" in text


def test_everything_that_cannot_be_written_is_refused_at_once():
    with pytest.raises(ValueError, match=r"bold has shape \(1,\) and dtype int64, expected \(2, 1\).*label is 'a b'.*for 中 🙂"):
        tables.latex(pd.DataFrame({"a": ["中", "🙂"]}), caption="", label="a b", bold=np.array([1]))
    with pytest.raises(ValueError, match="no column"):
        tables.latex(pd.DataFrame(), caption="", label="x")


def test_a_variant_has_its_figures_and_below_them_its_differences():
    rows, text = tables.ablation(comparison())
    assert list(rows["variant"]) == list(VARIANTS)
    assert rows["paper.ir2vis.map.high_seeds"].tolist()[1:] == [21, 31]
    assert text.count(r"\begin{table}") == 2
    other, tested, _ = text.split(r"\end{table}")
    head, none, first, first_effect, both, both_effect, *_ = lines(other)
    assert head == ["FSA", "ST", "rank-1", "mAP", "mINP"]
    assert none == ["", ""] + [r"20.0 $\pm$ 1.2"] * 3
    assert first == [r"$\surd$", ""] + [r"\underline{30.0 $\pm$ 1.2}"] * 3
    assert first_effect == ["", ""] + ["+10.0 {[}$-$2.0, 21.0] p 0.20"] * 3
    assert both == [r"$\surd$", r"$\surd$"] + [r"\textbf{40.0 $\pm$ 1.2}"] * 3
    assert both_effect == ["", ""] + ["+20.0 {[}8.0, 31.0] p 0.20"] * 3
    assert lines(tested)[5] == ["", "", "+20.0 {[}8.0, 31.0] p $<$ 0.01{*}"] + ["+20.0 {[}8.0, 31.0] p 0.20"] * 2
    caption = text.split(r"\caption")[1].split(r"\label")[0]
    for part in (r"paper.vis2ir, $\rightarrow$ in words", r"A \& B, 100 \%.", "Refused: channel: epochs: 5 vs 8."):
        assert part in caption
    assert r"\label{tab:modules-paper.vis2ir}" in text
    assert r"\label{tab:modules_with_branches_1-paper.vis2ir}" in tables.ablation(comparison(), name="modules_with_branches_1")[1]


def test_one_training_has_no_spread_and_the_interval_over_people():
    _, text = tables.ablation(comparison("network", several=False, protocols=["ir2vis"]))
    assert lines(text)[1] == ["none", "20.0", "20.0", "20.0"]
    assert lines(text)[3] == ["", *["+10.0 {[}7.0, 12.0]"] * 3]
    assert lines(text)[0][0] == "network"


def test_orders_of_the_modules_are_distinguished():
    orders = ["none", "channel + spatial", "spatial + channel"]
    _, text = tables.ablation(comparison(variants=orders, protocols=["ir2vis"]))
    assert [line[0] for line in lines(text) if line[0]] == ["modules", *orders]


def test_costs_are_listed_beside_accuracy():
    rows, text = tables.ablation(comparison(), costs())
    assert rows["multiply_adds"].tolist() == [1_500_000_000] * 3
    assert lines(text)[0][-4:] == ["M par.", "G MACs", "ms", "MB"]
    assert lines(text)[1][-4:] == ["12.3", "1.50", "3.46", "789"]
    assert lines(text)[3][-4:] == [""] * 4
    assert "(cpu, float32, 2 threads)" in text
    with pytest.raises(ValueError, match=r"add or remove rows for frequency$"):
        tables.ablation(comparison(), costs(["none", "frequency + spatial", "deen"]))


def test_latex_compiles_in_a_plain_article(tmp_path):
    letters = "".join(chr(c) for c in range(0xC0, 0x17F) if chr(c) not in tables.UNDRAWN)
    everything = "".join(tables.SIGNS) + letters + "".join(map(chr, range(32, 127)))
    starts = pd.DataFrame({"[": ["[3pt]", "*", "x"], everything[:30]: [1.0, np.nan, -2.0]})
    text = tables.latex(starts, caption=everything + " and\n\nmore" * 60, label="tab:all", bold=np.ones((3, 2), bool))
    page, _ = compiled(text, tmp_path)
    assert page.startswith(b"%PDF-")


@pytest.mark.parametrize("variants", [VARIANTS, EIGHT, ORDERS], ids=["a few", "the committed ablation", "orders of three modules"])
def test_an_ablation_fits_the_page(tmp_path, variants):
    text = tables.ablation(comparison(variants=variants), costs(variants))[1]
    page, output = compiled(text, tmp_path)
    assert page.startswith(b"%PDF-")
    assert "Overfull" not in output
