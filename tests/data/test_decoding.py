"""Reading and decoding one image file: never blocks, decodes it whole and upright, or gives a reason for refusing it."""

import io
import os

import numpy as np
import pytest
from PIL import Image

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


def test_16_bit_grey_is_scaled_like_16_bit_colour():
    grey = np.arange(96, dtype=np.uint16).reshape(12, 8) * 680
    found = pixels(saved(Image.fromarray(grey), "PNG"))
    np.testing.assert_array_equal(found, np.repeat(grey[:, :, None] >> 8, 3, axis=2))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
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


def test_a_file_with_several_images_is_refused():
    others = [Image.new("RGB", (8, 12), colour) for colour in ("red", "blue")]
    with pytest.raises(ValueError, match="3 images in one file, expected one"):
        decode(saved(PICTURE, "GIF", save_all=True, append_images=others), 12, 8)


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


def test_more_pixels_than_a_video_frame_are_not_decoded(monkeypatch):
    """11 kB of PNG would take 0.7 GB of memory."""
    decode(saved(Image.new("1", (7680, 4320)), "PNG"), 12, 8)
    vast, loaded = saved(Image.new("1", (9400, 9400)), "PNG"), []
    monkeypatch.setattr(Image.Image, "load", lambda image: loaded.append(image.size))
    with pytest.raises(ValueError, match=r"9,400 × 9,400 pixels, expected at most 33,554,432"):
        decode(vast, 12, 8)
    assert loaded == []


def test_other_formats_are_not_tried():
    """Pillow would start Ghostscript for the second."""
    for data in (saved(PICTURE, "TIFF"), b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 12\n%%EndComments\n"):
        with pytest.raises(ValueError, match=rf"not an image, {len(data)} bytes; expected JPEG, PNG"):
            decode(data, 12, 8)
