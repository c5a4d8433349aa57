"""What the modules of the first run do to the frequencies of feature maps."""

from collections.abc import Iterator, Mapping
from functools import cache

import pandas as pd

from fsclib import figures
from fsclib.analysis.frequency import before_after, components, gates, measurement, module_tables
from fsclib.config import Config
from fsclib.retrieval import evaluation
from fsclib.system.device import device_of
from workbook import spectrum
from workbook.paper import commands
from workbook.paper.items import CHECKPOINT, Drawn, Item, Missing, Tabled, interval
from workbook.paper.selection import Cast

TITLE = "Frequencies"
USUAL = spectrum.SpectrumOptions()  # sample and noise of notebook 04
SHOWN = 2  # people whose features are shown as pictures
COARSE = 12  # rows or columns below which a map's spectrum has too few frequencies for conclusions
DECIMALS = 4  # of gates, which hardly differ
FSA = "frequency"  # the module with gates


class _Measured:
    """The network, the sample and its spectra, each computed once."""

    def __init__(self, cast: Cast):
        self.run, self.images, self.seed = cast.main, cast.images, cast.options.seed
        self.device = device_of(self.run.config.device)
        self.net = evaluation.run_network(self.run, self.device)
        self.rows = measurement.sample(self.images.records, USUAL.people, USUAL.images, self.seed)
        self.lines, _ = measurement.chains(self.net, ())
        self.found = measurement.measure(self.net, self.images, self.rows, self.device, self.lines, USUAL.noise, self.seed)
        self.gated = cache(lambda: gates.collect(self.net, self.images, self.rows, self.device))

    @property
    def facts(self) -> dict[str, str]:
        """For captions: the run, the sample, and how coarse the maps are."""
        sizes = sorted({self.found.size(name) for line in self.found.chains.values() for name in line})
        height, width = sizes[0]
        coarse = (
            f" Maps of {height}×{width} positions hold {height // 2} frequencies along the height and {width // 2} along the width:"
            " take shapes as a check of the method, not as a finding."
        )
        return {
            "name": self.run.folder.name,
            "sample": f"{len(self.rows)} test images of {len(set(self.found.identity))} people",
            "coarse": coarse if min(height, width) < COARSE else "",
        }


def items(cast: Cast) -> Iterator[Item | Missing]:
    """Spectra, profiles, the original's measures, gates, the modality gap by frequency, and features as pictures."""
    measured = cache(lambda: _Measured(cast))

    def modules() -> Drawn:
        found = measured().found
        return Drawn(figures.module_spectra(before_after.pictures(found), before_after.boxes(found)), measured().facts)

    def radial() -> Drawn:
        found = measured().found
        return Drawn(figures.radial(before_after.profiles(found), before_after.transfers(found)), measured().facts)

    def filtering() -> Tabled:
        found = module_tables.filtering(measured().found, cast.options.seed)
        columns = {"tilt": ("tilt", "low", "high"), "pooled_tilt": ("pooled_tilt", "pooled_low", "pooled_high")}
        return Tabled(found, _printed(found, columns), measured().facts)

    def suppression() -> Tabled:
        found = module_tables.suppression(measured().found, cast.options.seed)
        return Tabled(found, _printed(found, {"suppression": ("suppression", "low", "high")}), measured().facts)

    def noise() -> Tabled:
        found = module_tables.under_noise(measured().found, cast.options.seed)
        gains = {f"{kind}_gain": (f"{kind}_gain", f"{kind}_low", f"{kind}_high") for kind in ("psnr", "snr")}
        return Tabled(found, _printed(found, gains), measured().facts | {"noise": f"{USUAL.noise:g}"})

    def histograms() -> Drawn:
        return Drawn(figures.gate_histograms(gates.histograms(measured().gated())), measured().facts)

    def distributions() -> Tabled:
        found = gates.distributions(measured().gated())
        shown = found.rename(columns=lambda name: name.replace("_", " "))
        numbers = shown.select_dtypes("number").round(DECIMALS) + 0.0  # which makes −0 a 0
        return Tabled(found, shown.assign(**numbers), measured().facts, DECIMALS)

    def gains() -> Drawn:
        module, group = next(iter(measured().gated().items()))
        return Drawn(figures.gains(*gates.examples(group, module)), measured().facts | {"module": module})

    def gap() -> Drawn:
        return Drawn(figures.gap_by_radius(before_after.gaps(measured().found, cast.options.seed)), measured().facts)

    def features() -> Drawn:
        it = measured()
        pairs = measurement.pairs(it.images.records, it.rows, SHOWN)
        sheet, share = components.sheet(it.net, it.images, pairs, it.device, it.lines)
        held = ", ".join(f"{chain} {100 * part:.0f} %" for chain, part in share.items())
        return Drawn(figures.sample_sheet(*sheet), it.facts | {"held": held})

    of = {"runs": cast.names[:1], "needs": (CHECKPOINT,)}
    yield Item(name="spectrum_modules", caption=MODULES, make=modules, **of)
    yield Item(name="spectrum_radial", caption=RADIAL, make=radial, **of)
    yield Item(name="spectrum_filtering", caption=FILTERING, make=filtering, **of)
    yield Item(name="spectrum_suppression", caption=SUPPRESSION, make=suppression, **of)
    yield Item(name="spectrum_noise", caption=UNDER_NOISE, make=noise, **of)
    if cast.runs and FSA not in cast.main.config.modules:
        config = cast.main.config
        same = {name: getattr(config, name) for name in ("dataset", "scale", "trial", "seed", "data_root")}
        reason = f"{cast.names[0]} has no FSA, so no gates; put a run with FSA first in -p runs, such as the one trained by"
        yield Missing("spectrum_gates, spectrum_gates_table, spectrum_gains", reason, commands.train(Config(**same)))
    else:
        yield Item(name="spectrum_gates", caption=GATES, make=histograms, **of)
        yield Item(name="spectrum_gates_table", caption=DISTRIBUTIONS, make=distributions, **of)
        yield Item(name="spectrum_gains", caption=GAINS, make=gains, **of)
    yield Item(name="spectrum_gap", caption=GAP, make=gap, **of)
    yield Item(name="spectrum_features", caption=FEATURES, make=features, **of)


def _printed(found: pd.DataFrame, intervals: Mapping[str, tuple[str, str, str]]) -> pd.DataFrame:
    """A table of module_tables with readable headings, two decimals, and each interval behind its value.

    Errors: ValueError for the empty table of a network without modules.
    """
    if found.empty:
        raise ValueError("this network has none of the modules FSA, GCA and ST; put a run that has first in -p runs")
    shown = found.copy()
    for name, columns in intervals.items():
        shown[name] = [interval(*triple, ".2f") for triple in zip(*(found[column] for column in columns), strict=True)]
        shown = shown.drop(columns=list(columns[1:]))
    names = {name: name.replace("_", " ").replace("psnr", "PSNR").replace("snr", "SNR") for name in shown}
    return shown.rename(columns=names)


MODULES = (
    "{name}: log-amplitude spectra of feature maps, centred, in cycles per image, root mean square over channels and {sample}, "
    "before the first module and after the one named above each panel; one scale per row. Dashed: the low-frequency box of the "
    "original program, not drawn where it holds no frequency. See whether a module changes the shape of a spectrum or only its "
    "level, which the next normalisation undoes. Channels are added up, so scaling them differently changes the shape as "
    "well.{coarse}"
)
RADIAL = (
    "{name}: left, energy by distance from frequency zero; right, |Y|/|X|, the output of a module over its input, in each channel "
    "(geometric mean over channels); {sample}, bands hold the middle 80 % of images. A filter would show as a slope on the "
    "right; a level line away from 1 is a change of scale, not filtering. GCA and ST are not linear: their curve is a ratio, not "
    "a filter response.{coarse}"
)
FILTERING = (
    "{name}: whether |Y|/|X| slopes, in dB from radius 1 to the highest, with 95 % intervals over people and cameras; {sample}. "
    "The verdict rests on the tilt per channel: a filter beyond ±1 dB, none within. The tilt of the pooled ratio is not yet a "
    "filter: scaling tilt is what it would be if the module only multiplied each channel of each image by a constant. Level: the "
    "change of scale; mean: how much more the mean of the map is amplified than the rest.{coarse}"
)
SUPPRESSION = (
    "{name}: the original's first measure, the share of energy outside the low-frequency box before and after each module, in per "
    "cent, and its relative decrease, the suppression, with a 95 % interval over people and cameras; {sample}. Box: how many "
    "frequencies of the map it holds. With 0, every frequency counts as high and the measure is meaningless. The share includes "
    "the mean of the map, so a module that only lowers the mean appears to strengthen high frequencies."
)
UNDER_NOISE = (
    "{name}: the original's second measure, PSNR against the features of the clean image (data range 1), with white noise of "
    "{noise} of the range from black to white added to the input; in dB, {sample}, gains with 95 % intervals over people and "
    "cameras. PSNR depends on the scale of the features: a module that halves its map gains 6 dB and removes no noise. In SNR the "
    "signal is the variance between people, channel by channel: only a gain in it indicates denoising."
)
GATES = (
    "{name}: the gates of FSA, over channels and {sample}. Each channel of each image has two, w_R for the real and w_I for the "
    "imaginary part of its spectrum, the same at every frequency: no gate can favour one frequency over another, and where both "
    "are equal, FSA multiplies the channel by a constant."
)
DISTRIBUTIONS = (
    "{name}: the gates of FSA, means and quantiles over channels and {sample}. Between channels: the standard deviation of the "
    "channels' means; between images: how much a gate varies with the image within a channel. Where that is 0, FSA multiplies "
    "channels by constants, the same for every image."
)
GAINS = (
    "{name}, {module}: |Y|/|X| of the channel and image whose gates are furthest apart, one point per frequency; on the right, "
    "where each gain lies between the two gates of its channel, over channels whose gates differ by more than 1 %; empty if none "
    "do. Rings: frequencies at which every spectrum is real, so that the gain is w_R. Elsewhere gains follow phase: a filter "
    "would make the points rise or fall with the radius.{coarse}"
)
GAP = (
    "{name}: distance between mean visible and mean infrared amplitudes of the same people by radius, relative to their length; 0 "
    "is equal, √2 no channel in common; {sample}. Bands are 95 % intervals over people and cameras. Compare curves within a "
    "panel only: panels differ in channels. Phases are ignored, and cameras differ along with modalities, so closing this gap "
    "does not by itself improve retrieval.{coarse}"
)
FEATURES = (
    "{name}: the first three principal components of feature maps as red, green and blue over the image, one tile per position. "
    "Equal colours within a view are equal features: visible and infrared images of a person should look alike where the features "
    "do not depend on the modality. Variance explained by the three components: {held}."
)
