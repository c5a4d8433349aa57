"""Reading and decoding one image file: never blocks, decodes it whole and upright, or gives a reason for refusing it."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import GifImagePlugin, Image, ImageFile

from fsclib.data.pixels import decoding
from fsclib.data.pixels.decoding import UNREADABLE, decode, read

PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (12, 8, 3), dtype=np.uint8))


def saved(picture, kind, **options):
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def pixels(data, height=12, width=8):
    return np.frombuffer(decode(data, height, width), np.uint8).reshape(height, width, 3)


@pytest.mark.parametrize("make", [os.mkfifo, lambda file: file.symlink_to("/dev/zero"), lambda file: file.mkdir()])
def test_pipes_devices_and_folders_are_not_read(tmp_path, make):
    make(tmp_path / "x.jpg")
    data, found = read(str(tmp_path / "x.jpg"))
    assert data == b""
    assert found[:3] == (UNREADABLE, UNREADABLE, "")
    assert found.reason.startswith("cannot be read")


def test_a_file_too_large_for_any_image_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(decoding, "LARGEST", 1000)
    for size, reason in ((1000, ""), (1001, "1001 bytes, expected at most 1000")):
        (tmp_path / "x.jpg").write_bytes(bytes(size))
        assert read(str(tmp_path / "x.jpg"))[1].reason == reason


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_grey_that_uses_its_whole_range_is_scaled_like_16_bit_colour(kind):
    grey = np.arange(96, dtype=np.uint16).reshape(12, 8) * 2 * 257
    grey[-1, -1] = 65535
    found = pixels(saved(Image.fromarray(grey), kind))
    np.testing.assert_array_equal(found, np.repeat(grey[:, :, None] >> 8, 3, axis=2))


DEEP = {"I;16": np.uint16, "I": np.int32, "F": np.float32}


@pytest.mark.parametrize("mode", DEEP)
@pytest.mark.parametrize("outlier", [None, 0, 16000])
def test_a_thermal_image_keeps_its_grey_levels(mode, outlier):
    """A ramp of 800 of 16,384 levels, in which one pixel may be dead or hot: taking the high byte would leave four levels."""
    ramp = np.linspace(7500, 8300, 96 * 64).reshape(96, 64).astype(DEEP[mode])
    if outlier is not None:
        ramp[0, 0] = outlier
    found = pixels(saved(Image.fromarray(ramp), "TIFF"), 96, 64)[..., 0].astype(int)
    assert len(np.unique(found)) > (200 if outlier is None else 120)
    assert (np.diff(found.ravel()[1:]) >= 0).all()
    assert outlier is not None or (found.min(), found.max()) == (0, 255)


BYTE_ORDERS = [("I;16", "<u2"), ("I;16B", ">u2")]


def test_a_big_endian_tiff_gives_the_same_pixels():
    ramp = np.linspace(7500, 8300, 96).reshape(12, 8).astype(np.uint16)
    both = [saved(Image.frombytes(mode, (8, 12), ramp.astype(kind).tobytes()), "TIFF") for mode, kind in BYTE_ORDERS]
    assert both[0] != both[1]
    assert decode(both[0], 12, 8) == decode(both[1], 12, 8)


def test_an_even_thermal_image_is_mid_grey():
    assert set(decode(saved(Image.fromarray(np.full((12, 8), 9000, np.uint16)), "PNG"), 12, 8)) == {128}


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_temperatures_that_are_not_numbers_are_refused(value):
    values = np.linspace(20, 37, 96, dtype=np.float32).reshape(12, 8)
    values[3, 3] = value
    with pytest.raises(ValueError, match="not finite numbers"):
        decode(saved(Image.fromarray(values), "TIFF"), 12, 8)


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_deflate", "packbits"])
def test_tiff_files_are_decoded_whole_or_refused(compression):
    data = saved(PICTURE, "TIFF", compression=compression)
    np.testing.assert_array_equal(pixels(data), PICTURE)
    for copied in (data[:6], data[: len(data) // 2], data[:-200]):
        with pytest.raises(ValueError, match=r"truncated|cannot be decoded"):
            decode(copied, 12, 8)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_images_are_turned_upright_as_image_viewers_do(orientation, kind):
    exif = Image.Exif()
    exif[decoding.ORIENTATION] = orientation
    data = saved(PICTURE, kind, exif=exif.tobytes())
    plain = Image.open(io.BytesIO(saved(PICTURE, kind)))
    flat = np.asarray(plain.convert("RGB"))  # [row, column] as stored; EXIF says where its first row and column are seen
    seen = {
        1: flat,
        2: flat[:, ::-1],
        3: flat[::-1, ::-1],
        4: flat[::-1],
        5: flat.swapaxes(0, 1),
        6: flat[::-1].swapaxes(0, 1),
        7: flat[::-1, ::-1].swapaxes(0, 1),
        8: flat[:, ::-1].swapaxes(0, 1),
    }[orientation]
    np.testing.assert_array_equal(pixels(data, *seen.shape[:2]), seen)


def test_an_invalid_orientation_is_ignored():
    exif = Image.Exif()
    exif[decoding.ORIENTATION] = 77
    np.testing.assert_array_equal(pixels(saved(PICTURE, "PNG", exif=exif.tobytes())), PICTURE)
    assert decode(saved(PICTURE, "JPEG", exif=b"Exif\0\0nonsense"), 12, 8) == decode(saved(PICTURE, "JPEG"), 12, 8)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_a_file_with_several_images_is_refused(kind):
    others = [Image.new("RGB", (8, 12), colour) for colour in ("red", "blue")]
    with pytest.raises(ValueError, match="several images in one file, expected one"):
        decode(saved(PICTURE, kind, save_all=True, append_images=others), 12, 8)


@pytest.mark.parametrize("place", [-13, -100])
def test_checksums_of_a_png_are_verified(place):
    data = bytearray(saved(PICTURE, "PNG", compress_level=0))
    data[place] ^= 1  # in the checksum, or in the pixels
    with pytest.raises(ValueError, match="cannot be decoded"):
        decode(bytes(data), 12, 8)


def test_a_partly_copied_jpeg_is_truncated_even_if_padded():
    data = saved(PICTURE, "JPEG")
    for copied in (data[:-20], data[:-20] + bytes(20)):
        with pytest.raises(ValueError, match="truncated"):
            decode(copied, 12, 8)
    assert decode(data + b"after its end \xff\xda\0", 12, 8) == decode(data, 12, 8)


def two_pictures(first=PICTURE, **options):
    """A file with two pictures, as a stereo camera writes it."""
    return saved(first, "MPO", save_all=True, append_images=[Image.new("RGB", (8, 12), "red")], **options)


@pytest.mark.parametrize("pad", [lambda data: data, lambda data: data + bytes(20)], ids=["cut", "ends in zeros"])
@pytest.mark.parametrize("which", [1, 2])
def test_a_partly_copied_file_with_several_images_is_truncated(pad, which):
    data = two_pictures()
    second = data.find(b"\xff\xd8", 2)
    data = data[: second - 40 if which == 1 else len(data) - 40]
    assert Image.open(io.BytesIO(data)).format == "MPO"
    with pytest.raises(ValueError, match=f"truncated: the end marker is missing of picture {which} of 2"):
        decode(pad(data), 12, 8)


def test_the_first_picture_must_be_complete_whatever_follows():
    data = two_pictures()
    second = data.find(b"\xff\xd8", 2)
    with pytest.raises(ValueError, match="truncated"):
        decode(data[: second - 20] + bytes(20) + data[second:], 12, 8)
    assert decode(data, 12, 8) == decode(saved(PICTURE, "JPEG"), 12, 8)


def test_a_complete_thumbnail_does_not_hide_a_truncated_picture():
    exif = b"Exif\0\0" + saved(PICTURE.resize((4, 6)), "JPEG")  # invalid EXIF that puts a complete JPEG's markers into the file
    data = saved(PICTURE, "JPEG", exif=exif)
    assert decode(data, 12, 8) == decode(saved(PICTURE, "JPEG"), 12, 8)
    for copied in (data[:-20], data[:-20] + bytes(20)):
        with pytest.raises(ValueError, match="truncated"):
            decode(copied, 12, 8)


@pytest.mark.parametrize("several", [False, True])
def test_the_limit_on_scans_also_holds_for_files_with_several_images(several):
    data = two_pictures(progressive=True) if several else saved(PICTURE, "JPEG", progressive=True)
    end = data.find(b"\xff\xd8", 2) if several else len(data)
    first, rest = data[: end - 2], data[end - 2 :]
    scan = first[first.rfind(b"\xff\xda") :]
    with pytest.raises(ValueError, match=r"10\d\d scans, expected at most 100"):
        decode(first + 1000 * scan + rest, 12, 8)


VAST = {
    "PNG": lambda: saved(Image.new("1", (9400, 9400)), "PNG"),
    "GIF": lambda: _resized_gif(9400),
    "TIFF": lambda: saved(Image.new("1", (9400, 9400)), "TIFF", compression="tiff_deflate"),
    "TIFF of Group 4": lambda: saved(Image.new("1", (9400, 9400)), "TIFF", compression="group4"),
    "BMP": lambda: _resized_bmp(9400),
    "JPEG": lambda: _resized_jpeg(9400),
    "WEBP": lambda: b"RIFF\x22\0\0\0WEBPVP8L\x15\0\0\0\x2f" + (9399 | 9399 << 14).to_bytes(4, "little") + bytes(17),
}


def _resized_gif(side):
    data = saved(Image.new("P", (8, 8)), "GIF")
    return data[:6] + struct.pack("<HH", side, side) + data[10:]


def _resized_bmp(side):
    data = saved(Image.new("L", (8, 8)), "BMP")
    return data[:18] + struct.pack("<II", side, side) + data[26:]


def _resized_jpeg(side):
    data = saved(Image.new("L", (8, 8)), "JPEG")
    place = data.find(b"\xff\xc0") + 5
    return data[:place] + struct.pack(">HH", side, side) + data[place + 4 :]


@pytest.mark.parametrize("kind", VAST)
def test_more_pixels_than_a_video_frame_are_not_decoded(monkeypatch, kind):
    """11 kB of PNG would take 0.7 GB of memory."""
    vast, loaded = VAST[kind](), []
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda image: loaded.append(image.size))
    with pytest.raises(ValueError, match=r"9,400 × 9,400 pixels, expected at most 33,554,432"):
        decode(vast, 12, 8)
    assert loaded == []


def test_an_image_as_large_as_a_video_frame_is_decoded():
    assert set(decode(saved(Image.new("1", (7680, 4320)), "PNG"), 12, 8)) == {0}


def tiff(tags, content=b""):
    """A TIFF file with these (tag, type, count, value), followed by its content, to which a value of None points."""
    end = 8 + 2 + 12 * len(tags) + 4
    entries = b"".join(struct.pack("<HHLL", *tag[:3], end if tag[3] is None else tag[3]) for tag in tags)
    return b"II*\0" + struct.pack("<LH", 8, len(tags)) + entries + bytes(4) + content


def grey_tiff(*more):
    """Tags of a deflated grey TIFF of 100 × 100 pixels, in order."""
    first = [(256, 4, 1, 100), (257, 4, 1, 100), (258, 3, 1, 8), (259, 3, 1, 8), (262, 3, 1, 1), (277, 3, 1, 1)]
    return sorted([*first, *more])


def test_a_tiff_with_tiles_far_larger_than_the_image_is_not_decoded():
    """4 MB would take 1 GB of memory."""
    tiles = [(322, 4, 1, 1 << 15), (323, 4, 1, 1 << 15), (324, 4, 1, None), (325, 4, 1, 99)]
    with pytest.raises(ValueError, match=r"tiles of 32,768 × 32,768 pixels, expected at most 33,554,432"):
        decode(tiff(grey_tiff(*tiles), zlib.compress(bytes(9999))), 12, 8)


def test_a_tiff_whose_tags_share_their_bytes_is_not_opened():
    """2 MB would take 120 GB of memory, since every tag is copied."""
    tags = [(tag, 1, 1 << 20, None) for tag in range(1000, 61_000)]
    with pytest.raises(ValueError, match="tags of more than 16,777,216 bytes"):
        decode(tiff(tags, bytes(1 << 20)), 12, 8)


def test_images_of_an_endless_gif_are_not_counted(monkeypatch):
    """A million images in 15 MB."""
    data = saved(PICTURE.quantize(4), "GIF")
    monkeypatch.setattr(GifImagePlugin.GifImageFile, "n_frames", property(lambda image: pytest.fail("counted")))
    with pytest.raises(ValueError, match="several images"):
        decode(data[:-1] + 1000 * b",\0\0\0\0\1\0\1\0\0\2\2D\1\0" + b";", 12, 8)


def test_other_formats_are_not_tried():
    """Pillow would start Ghostscript for the second."""
    for data in (saved(PICTURE, "TGA"), b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 12\n%%EndComments\n"):
        with pytest.raises(ValueError, match=rf"not an image, {len(data)} bytes; expected JPEG, PNG"):
            decode(data, 12, 8)
