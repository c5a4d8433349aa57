"""The images of the data set."""

from fsclib import figures
from fsclib.analysis import samples
from fsclib.analysis.frequency import spectrum
from fsclib.data.literature import beside_reported
from fsclib.data.records import MODALITIES
from workbook.paper.items import IMAGES, Drawn, Item, Tabled
from workbook.paper.selection import Cast

TITLE = "Data"
PEOPLE, SAMPLE = 4, 500  # rows of the sheet; images of each modality whose spectra are averaged


def items(cast: Cast) -> list[Item]:
    """Test people, numbers of images, and spectra."""
    images, seed = cast.images, cast.options.seed

    def people() -> Drawn:
        return Drawn(figures.sample_sheet(*samples.sheet(images, "test", PEOPLE, seed)))

    def counts() -> Tabled:
        found = beside_reported(images.records, cast.options.dataset)
        return Tabled(found, found.dropna(axis="columns", how="all").rename(columns=lambda name: name.replace("_", " ")))

    def spectra() -> Drawn:
        rows = {modality: samples.draw(images.records, "train", modality, SAMPLE, seed) for modality in MODALITIES}
        drawn = {modality: images.take(part) for modality, part in rows.items()}
        amplitudes = {modality: spectrum.mean_amplitude(pixels) for modality, pixels in drawn.items()}
        profiles = {modality: spectrum.radial_profile(amplitude) for modality, amplitude in amplitudes.items()}
        infrared, visible = (images.records.iloc[rows[modality]] for modality in MODALITIES[::-1])
        difference = spectrum.difference(*(drawn[modality] for modality in MODALITIES[::-1]), (infrared, visible), seed)
        numbers = " and ".join(f"{len(pixels)} {modality}" for modality, pixels in drawn.items())
        return Drawn(figures.spectra(amplitudes, profiles, difference), {"numbers": numbers})

    return [
        Item(
            name="people",
            caption="Test people, one per row, drawn at random, in visible images and, on the right, infrared ones. A pale cell: "
            "that camera has no image of the person, or no more of them. A network can use what survives the change of modality: "
            "build, cut of the clothes, patterns. Colour does not survive it.",
            make=people,
            needs=(IMAGES,),
        ),
        Item(
            name="counts",
            caption="Images and identities on disk, beside the numbers that papers and repositories report. These sources do not "
            "agree with each other.",
            make=counts,
            needs=(IMAGES,),
        ),
        Item(
            name="spectra",
            caption="Mean amplitude spectra of {numbers} training images, their radial profiles, and how far the infrared profile "
            "lies above the visible one, with a 95 % interval over people and cameras. A constant difference is one of contrast; a "
            "slope means that one modality is smoother or noisier.",
            make=spectra,
            needs=(IMAGES,),
        ),
    ]
