"""Unusual image files: pictures in unlikely encodings, broken ones, and files that are no picture at all.

VALID: name → function from a picture to (file content, expected RGB picture, allowed mean difference in grey levels).
BROKEN: name → (function from a picture to file content, words of the error message). Pictures are RGB.
"""

import io
import struct
import zlib
from collections.abc import Callable
from functools import cache

from PIL import Image

ORIENTATION = 0x0112
LOSSY = 6.0  # grey levels, for a JPEG or WebP file of the best quality
TEXT = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\n"
POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 24 64\n%%EndComments\n(x) run\n%%EOF\n"


def encode(picture: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **({"quality": 98, "subsampling": 0} if kind == "JPEG" else {}) | options)
    return buffer.getvalue()


def png(width: int, height: int, depth: int, colour: int, rows: bytes, *extra: tuple[bytes, bytes]) -> bytes:
    """A PNG file with these values, whether or not they are consistent; rows include their filter bytes. colour: 0 grey, 2 RGB."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = [(b"IHDR", header), *extra, (b"IDAT", zlib.compress(rows, 1)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(map(_chunk, *zip(*chunks, strict=True)))


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _ramp(picture: Image.Image) -> Image.Image:
    """All grey levels from 0 to 255, in the size of a picture."""
    number = picture.width * picture.height
    return Image.frombytes("L", picture.size, bytes(255 * k // (number - 1) for k in range(number)))


def _with_alpha(picture: Image.Image) -> Image.Image:
    picture = picture.copy()
    picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    return picture


def _sixteen(picture: Image.Image) -> bytes:
    """Big-endian 16-bit samples: the 8-bit value, then low bits that must not change it by rounding."""
    return b"".join(bytes((value, 255 - value)) for value in picture.tobytes())


def _rows(samples: bytes, height: int) -> bytes:
    length = len(samples) // height
    return b"".join(b"\0" + samples[row * length : (row + 1) * length] for row in range(height))


def _rotated(orientation: int, method: Image.Transpose, kind: str) -> Callable:
    """A picture stored transposed by `method`, with the EXIF orientation that undoes it."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return lambda picture: (encode(picture.transpose(method), kind, exif=exif.tobytes()), picture, LOSSY * (kind == "JPEG"))


def _wide(picture: Image.Image) -> tuple[bytes, Image.Image, float]:
    wide = picture.resize((20_000, 8))
    return encode(wide, "PNG"), wide, 0


def _via(convert: Callable, kind: str, **options) -> Callable:
    """The picture after a conversion, stored without loss; the colours after the conversion are expected."""

    def make(picture: Image.Image) -> tuple[bytes, Image.Image, float]:
        converted = convert(picture)
        return encode(converted, kind, **options), converted.convert("RGB"), 0

    return make


def _lossy(convert: Callable = lambda picture: picture, kind: str = "JPEG", before: bytes = b"", after: bytes = b"", **options):
    return lambda picture: (before + encode(convert(picture), kind, **options) + after, convert(picture).convert("RGB"), LOSSY)


VALID = {
    "JPEG content": _lossy(),
    "BMP content": _via(lambda picture: picture, "BMP"),
    "PNG content": _via(lambda picture: picture, "PNG"),
    "WebP content": _lossy(kind="WEBP", quality=100),
    "TIFF content": _via(lambda picture: picture, "TIFF"),
    "compressed TIFF": _via(lambda picture: picture, "TIFF", compression="tiff_lzw"),
    "GIF content": _via(lambda picture: picture.quantize(256), "GIF"),
    "progressive JPEG": _lossy(progressive=True),
    "grey JPEG": _lossy(lambda picture: picture.convert("L")),
    "CMYK JPEG": _lossy(lambda picture: picture.convert("CMYK")),
    "JPEG with garbage after its end": _lossy(after=b"garbage\xff\xda\0" * 40),
    "JPEG with a broken EXIF entry": _lossy(exif=b"Exif\0\0MM\0*\xff\xff\xff\xff no directory"),
    "several pictures of a stereo camera (MPO)": lambda picture: (
        encode(picture, "MPO", save_all=True, append_images=[Image.new("RGB", picture.size)], quality=98, subsampling=0),
        picture,
        LOSSY,
    ),
    "EXIF: a quarter turn": _rotated(6, Image.Transpose.ROTATE_90, "JPEG"),
    "EXIF: a quarter turn back": _rotated(8, Image.Transpose.ROTATE_270, "JPEG"),
    "EXIF: upside down": _rotated(3, Image.Transpose.ROTATE_180, "JPEG"),
    "EXIF: mirrored": _rotated(2, Image.Transpose.FLIP_LEFT_RIGHT, "JPEG"),
    "EXIF: mirrored and a quarter turn": _rotated(7, Image.Transpose.TRANSVERSE, "JPEG"),
    "EXIF: transposed, in a PNG file": _rotated(5, Image.Transpose.TRANSPOSE, "PNG"),
    "16-bit grey": lambda picture: (
        png(*picture.size, 16, 0, _rows(_sixteen(_ramp(picture)), picture.height)),
        _ramp(picture).convert("RGB"),
        0,
    ),
    "14-bit grey in a TIFF": lambda picture: (
        encode(_ramp(picture).convert("I").point(lambda grey: grey * 3 + 7500).convert("I;16"), "TIFF"),
        _ramp(picture).convert("RGB"),
        0,
    ),
    "16-bit colour": lambda picture: (png(*picture.size, 16, 2, _rows(_sixteen(picture), picture.height)), picture, 0),
    "palette": _via(lambda picture: picture.quantize(64), "PNG"),
    "palette with a transparent colour": _via(lambda picture: picture.quantize(64), "PNG", transparency=3),
    "palette with transparency": _via(lambda picture: picture.quantize(64), "PNG", transparency=bytes(range(64))),
    "BMP with a palette": _via(lambda picture: picture.quantize(256), "BMP"),
    "RGBA": _via(_with_alpha, "PNG"),
    "grey with alpha": _via(lambda picture: _with_alpha(picture.convert("L")), "PNG"),
    "1 bit": _via(lambda picture: picture.convert("1"), "PNG"),
    "1×1 pixel": _via(lambda picture: picture.resize((1, 1)), "BMP"),
    "a strip of 20,000 pixels": _wide,
}


@cache
def _huge(side: int = 20_000) -> bytes:
    """A valid PNG of white pixels, a few hundred kB at most."""
    return png(side, side, 1, 0, (b"\0" + b"\xff" * (side // 8)) * side)


def _vast_tiff() -> bytes:
    """A TIFF that claims 3.6 billion pixels, without their content."""
    tags = [(256, 4, 1, 60_000), (257, 4, 1, 60_000), (258, 3, 1, 8), (262, 3, 1, 1), (273, 4, 1, 8), (277, 3, 1, 1)]
    return b"II*\0" + struct.pack("<LH", 8, len(tags)) + b"".join(struct.pack("<HHLL", *tag) for tag in tags) + bytes(4)


def _cut(kind: str, share: float) -> Callable[[Image.Image], bytes]:
    return lambda picture: (data := encode(picture, kind))[: int(len(data) * share)]


def _patched(kind: str, offset: int, content: bytes) -> Callable[[Image.Image], bytes]:
    """Overwrites bytes of a file at an offset, which counts from the end if negative."""

    def make(picture: Image.Image) -> bytes:
        data = bytearray(encode(picture, kind))
        offset_ = offset % len(data)
        data[offset_ : offset_ + len(content)] = content
        return bytes(data)

    return make


def _ending_in_zeros(picture: Image.Image) -> bytes:
    data = encode(picture, "JPEG")
    kept = len(data) * 3 // 4
    return data[:kept] + bytes(len(data) - kept)


def _with_many_scans(picture: Image.Image) -> bytes:
    """A valid JPEG whose last scan is repeated a thousand times; with more pixels, a small file would take hours to decode."""
    data = encode(picture, "JPEG", progressive=True)
    last, end = data.rfind(b"\xff\xda"), len(data) - 2
    return data[:end] + 1000 * data[last:end] + data[end:]


def _of_several_with_many_scans(picture: Image.Image) -> bytes:
    data = encode(picture, "MPO", save_all=True, append_images=[picture], progressive=True)
    end = data.find(b"\xff\xd8\xff", 2) - 2
    return data[:end] + 1000 * data[data.rfind(b"\xff\xda", 0, end) : end] + data[end:]


def _with_thumbnail_ending_in_zeros(picture: Image.Image) -> bytes:
    data = encode(picture, "JPEG", exif=b"Exif\0\0" + encode(picture.resize((4, 4)), "JPEG"))
    kept = len(data) * 9 // 10
    return data[:kept] + bytes(len(data) - kept)


def _wrong_checksum(picture: Image.Image) -> bytes:
    """One stored pixel is changed, so that everything decodes and only the checksum of the chunk is wrong."""
    data = bytearray(encode(picture, "PNG", compress_level=0))
    data[len(data) - 200] ^= 1
    return bytes(data)


def _of_several(kind: str) -> Callable[[Image.Image], bytes]:
    return lambda picture: encode(picture, kind, save_all=True, append_images=[Image.new("RGB", picture.size)])


def _constant(data: bytes) -> Callable[[Image.Image], bytes]:
    return lambda picture: data


BROKEN = {
    "truncated JPEG": (_cut("JPEG", 0.6), "truncated"),
    "JPEG cut in its header": (_cut("JPEG", 0.05), "Truncated"),
    "JPEG without its last two bytes": (lambda picture: encode(picture, "JPEG")[:-2], "truncated"),
    "JPEG that ends in zeros": (_ending_in_zeros, "truncated"),
    "truncated progressive JPEG": (lambda picture: encode(picture, "JPEG", progressive=True)[:-300], "truncated"),
    "progressive JPEG of a thousand scans": (_with_many_scans, "scans, expected at most 100"),
    "truncated file of several pictures (MPO)": (lambda picture: _of_several("MPO")(picture)[:-30], "truncated"),
    "file of several pictures that ends in zeros": (lambda picture: _of_several("MPO")(picture)[:-30] + bytes(30), "truncated"),
    "file of several pictures, the first of a thousand scans": (_of_several_with_many_scans, "scans, expected at most 100"),
    "JPEG with a thumbnail, truncated": (_with_thumbnail_ending_in_zeros, "truncated"),
    "truncated BMP": (_cut("BMP", 0.6), "truncated"),
    "BMP cut in its header": (_cut("BMP", 0.005), "cannot be decoded"),
    "BMP with a wrong header size": (_patched("BMP", 14, struct.pack("<I", 77)), "header"),
    "BMP with an unknown depth": (_patched("BMP", 28, struct.pack("<H", 77)), "cannot be decoded"),
    "BMP that claims 60,000 × 60,000 pixels": (_patched("BMP", 18, struct.pack("<II", 60_000, 60_000)), "decompression bomb"),
    "truncated PNG": (_cut("PNG", 0.6), "cannot be decoded"),
    "PNG with a wrong checksum": (_wrong_checksum, "cannot be decoded"),
    "PNG with a broken chunk": (_patched("PNG", -60, b"\xff" * 20), "cannot be decoded"),
    "PNG without its end": (lambda picture: encode(picture, "PNG")[:-12], "cannot be decoded"),
    "PNG that claims 60,000 × 60,000 pixels": (_constant(png(60_000, 60_000, 8, 2, b"\0" * 99)), "decompression bomb"),
    "PNG that claims 10,000 × 10,000 pixels": (_constant(png(10_000, 10_000, 8, 2, b"\0" * 99)), "decompression bomb"),
    "PNG of 9,400 × 9,400 pixels": (lambda picture: _huge(9_400), "pixels, expected at most"),
    "PNG of 20,000 × 20,000 pixels": (lambda picture: _huge(), "decompression bomb"),
    "PNG with a text that unpacks to 80 MB": (
        lambda picture: png(1, 1, 8, 0, b"\0\0", (b"zTXt", b"Comment\0\0" + zlib.compress(bytes(80_000_000), 1))),
        "cannot be decoded",
    ),
    "truncated GIF": (_cut("GIF", 0.6), "cannot be decoded"),
    "animated GIF": (_of_several("GIF"), "several images"),
    "animated PNG": (_of_several("PNG"), "several images"),
    "animated WebP": (_of_several("WEBP"), "several images"),
    "TIFF of several pages": (_of_several("TIFF"), "several images"),
    "truncated TIFF": (_cut("TIFF", 0.6), "truncated"),
    "TIFF that claims 60,000 × 60,000 pixels": (lambda picture: _vast_tiff(), "decompression bomb"),
    "PostScript": (_constant(POSTSCRIPT), "not an image"),
    "text": (_constant(TEXT), "not an image"),
    "zip archive": (_constant(b"PK\x05\x06" + bytes(18)), "not an image"),
    "one byte": (_constant(b"\xff"), "not an image"),
    "zeros": (_constant(bytes(5000)), "not an image"),
}
