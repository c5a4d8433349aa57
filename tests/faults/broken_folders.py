"""Corruptions of folders, and of the images of one person."""

from collections.abc import Callable
from pathlib import Path

from entering import Registry
from spoiling import Corpus

from fsclib.data.records import INFRARED, MISSING_ROOT, NO_TEST, NO_TRAINING, VISIBLE

PLACES = Registry()
FOLDERS = ("sysu", "llcm")  # layouts that list the images of folders
JUNK = (".DS_Store", "Thumbs.db", "desktop.ini", "._0001.jpg", "@eaDir/0001.jpg/SYNOPHOTO_THUMB.jpg", "0001.jpg.part")


@PLACES.register("files and folders of other programs")
def _junk(corpus):
    folder = corpus.image().rpartition("/")[0]
    for place in ("", "__MACOSX/", f"{folder}/"):
        for name in JUNK:
            corpus.write(place + name, b"junk")


@PLACES.register("folders of unlisted people")
def _strangers(corpus):
    image = Path(corpus.image())
    for folder in (image.parent.with_name("9999"), Path("cam7/0001")):
        corpus.write(str(folder / image.name), (corpus.root / image).read_bytes())


@PLACES.register("folder that links to its parent")
def _loop(corpus):
    folder = (corpus.root / corpus.image()).parent
    (folder / "loop").symlink_to("..")
    (corpus.root / "loop").symlink_to(".")


@PLACES.register("folder that links elsewhere")
def _linked_folder(corpus):
    folder = corpus.image().rpartition("/")[0]
    outside = corpus.move_away(folder)
    (corpus.root / folder).symlink_to(outside)


def _folder_replaced_by(make: Callable[[Path], object], kind: str = ""):
    """Replaces the folder of a person's images from one camera. kind: the problem reported in layouts that list folders."""

    def apply(corpus: Corpus) -> None:
        image = corpus.image()
        folder = image.rpartition("/")[0]
        corpus.move_away(folder)
        make(corpus.root / folder)
        lost = [path for path in corpus.intact.records["path"] if path.startswith(f"{folder}/")]
        corpus.gone.update(lost)
        for path in filter(corpus.is_listed, lost):
            corpus.report_missing(path)
        if kind and not corpus.is_listed(image):
            corpus.report(kind, folder)
        corpus.report_if_one_modality(corpus.identity(image))

    return apply


PLACES.register("missing folder", alone=True)(_folder_replaced_by(lambda file: None))
PLACES.register("folder that links to itself", alone=True)(
    _folder_replaced_by(lambda file: file.symlink_to(file.name), "unreadable folder")
)
PLACES.register("file in place of a folder", alone=True)(_folder_replaced_by(Path.touch, "unreadable folder"))


@PLACES.register("missing folder of a camera", *FOLDERS, alone=True)
def _camera(corpus):
    records = corpus.intact.records
    infrared = records.loc[(records["split"] == "test") & (records["modality"] == INFRARED), "path"].iloc[0]
    folder = "cam1" if corpus.layout == "sysu" else infrared.rpartition("/")[0].rpartition("/")[0]
    corpus.move_away(folder)
    corpus.gone.update(path for path in records["path"] if path.startswith(f"{folder}/"))
    corpus.report("missing folder", folder)


@PLACES.register("missing folders of a modality", alone=True)
def _modality(corpus):
    for folder in {"sysu": ["cam3", "cam6"], "regdb": ["Thermal"], "llcm": ["nir", "test_nir"]}[corpus.layout]:
        corpus.move_away(folder)
        if corpus.layout == "sysu" or folder == "test_nir":
            corpus.report("missing folder", folder)
    for path in corpus.intact.records.loc[corpus.intact.records["modality"] == INFRARED, "path"]:
        if corpus.is_listed(path):
            corpus.report_missing(path)
    corpus.report_empty(NO_TRAINING)
    corpus.report_empty(NO_TEST)


@PLACES.register("missing data set", alone=True)
def _no_root(corpus):
    corpus.root.rename(corpus.root.with_name("outside"))
    corpus.report(MISSING_ROOT, str(corpus.root))


@PLACES.register("archive in place of the data set", alone=True)
def _archive(corpus):
    _no_root(corpus)
    corpus.root.write_bytes(b"PK\x05\x06" + bytes(18))


@PLACES.register("folder of a camera without images", *FOLDERS, alone=True)
def _empty_camera(corpus):
    records = corpus.intact.records
    infrared = records.loc[(records["split"] == "test") & (records["modality"] == INFRARED), "path"].iloc[0]
    folder = infrared.rpartition("/")[0].rpartition("/")[0]
    corpus.move_away(folder)
    (corpus.root / folder).mkdir()
    corpus.gone.update(path for path in records["path"] if path.startswith(f"{folder}/"))
    corpus.report("camera without images", folder)


@PLACES.register("folder of a camera in capital letters", *FOLDERS, alone=True)
def _capitals(corpus):
    records = corpus.intact.records
    infrared = records.loc[(records["split"] == "test") & (records["modality"] == INFRARED), "path"].iloc[0]
    folder = corpus.root / infrared.rpartition("/")[0].rpartition("/")[0]
    folder.rename(folder.with_name(folder.name.upper()))
    path = str(folder.relative_to(corpus.root))
    corpus.gone.update(image for image in records["path"] if image.startswith(f"{path}/"))
    corpus.report("misnamed folder", path)


@PLACES.register("image in a format that is not read", *FOLDERS)
def _format(corpus):
    path = corpus.image(folder=True).rpartition("/")[0] + "/photo.heic"
    corpus.write(path, b"ftypheic")
    corpus.report("unread image format", path)


# --- people -----------------------------------------------------------------------------------------------------------


@PLACES.register("person with images in one modality only")
def _one_modality(corpus):
    images = corpus.person("train")
    corpus.remove(images[INFRARED])
    corpus.gone.update(images[VISIBLE])
    corpus.report("one modality only", images[VISIBLE][0].rpartition("/")[0])


@PLACES.register("person seen by one camera of each modality only", *FOLDERS)
def _one_camera(corpus):
    camera = corpus.intact.records.set_index("path")["camera"]
    for paths in corpus.person("train").values():
        corpus.remove([path for path in paths if camera[path] != camera[paths[0]]])


@PLACES.register("test person without a match")
def _no_counterpart(corpus):
    corpus.remove(corpus.person("test")[INFRARED])


@PLACES.register("the same picture under two identities")
def _same_picture(corpus):
    one, other = corpus.image(), corpus.image()
    corpus.write(other, (corpus.root / one).read_bytes())
    corpus.pixels[other] = corpus.intact.pixels[one], 0
