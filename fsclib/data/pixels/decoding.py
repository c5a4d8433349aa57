"""Decodes image files into RGB pixels at given positions of a file, in this process or in several.

Each worker runs this file as a program that reads tasks from standard input and answers on standard output. It needs only
Pillow, and numpy for grey of more than 8 bits. Unlike multiprocessing's spawn, it does not import the caller's main module (and
torch), it can be started from a notebook or a script without a main guard, and it exits at the end of its input when its parent is
killed.
"""

import contextlib
import hashlib
import io
import json
import os
import re
import stat
import struct
import subprocess
import sys
import warnings
from collections.abc import Generator, Sequence
from multiprocessing.connection import wait
from typing import Any, NamedTuple

from PIL import Image

UNREADABLE = -1  # size, times and inode of an unreadable file, so that it is tried again at every opening
CHUNK = 32  # images per message to a worker: slow compared with a pipe round trip, fast compared with the whole job
FEW = 64  # below this number, decoding takes less time than starting workers
PIXELS = 1 << 25  # of the largest image, a frame of 8K video. Each takes up to 16 bytes of memory in every decoding process
LARGEST = 1 << 28  # bytes of a file: PIXELS in uncompressed 16-bit RGBA; larger files would only fill the memory
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF")  # Pillow supports many more, some through external programs
EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".gif")  # of files that are read
MARKER = re.compile(rb"\xff+([^\x00\x01\xd0-\xd7\xff])")  # of a JPEG, except those that occur within coded pixels
BEGIN, END, SCAN = b"\xd8", b"\xd9", b"\xda"
SCANS = 100  # of a progressive JPEG; ten are usual, and each further one costs a pass over all pixels for a hundred bytes
TAGS = 1 << 24  # bytes of the tags of a TIFF, which Pillow unpacks into Python numbers
TAG_BYTES = {3: 2, 4: 4, 5: 8, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}  # bytes per value of a TIFF tag by its type; others 1
TILE_WIDTH, TILE_LENGTH = 322, 323  # tags of a TIFF
OUTLIERS = 0.5  # per cent of the pixels, at each end of the grey values
ORIENTATION = 0x0112  # EXIF: how the camera was held
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class Decoded(NamedTuple):
    """The result for a file: size in bytes, modification time in ns, content hash, and why decoding failed ("" if it did not).

    inode, and ctime in ns, change when the file is replaced; older indexes lack both.
    """

    size: int
    mtime: int
    digest: str
    reason: str
    inode: int = UNREADABLE
    ctime: int = UNREADABLE

    @property
    def state(self) -> tuple[int, int, int, int]:
        """What `state` returns as long as the file is unchanged."""
        return self.size, self.mtime, self.inode, self.ctime


def state(status: os.stat_result) -> tuple[int, int, int, int]:
    """Attributes of a file that change with its content, or when it is replaced."""
    return status.st_size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns


def read(path: str) -> tuple[bytes, Decoded]:
    """The bytes of a file, and its size, time and 16-byte blake2b hash."""
    try:
        with open(path, "rb", opener=_at_once) as file:
            status = os.fstat(file.fileno())  # before reading: a change in between is then detected at the next opening
            if not stat.S_ISREG(status.st_mode):
                return _unread("cannot be read: not a file")
            if status.st_size > LARGEST:
                return _unread(f"{status.st_size} bytes, expected at most {LARGEST}")
            data = file.read()
    except OSError as error:
        return _unread(f"cannot be read: {error.strerror}")
    size, mtime, inode, ctime = state(status)
    return data, Decoded(size, mtime, hashlib.blake2b(data, digest_size=16).hexdigest(), "", inode, ctime)


def _at_once(path: str, flags: int) -> int:
    """Opens a file without blocking, even a pipe without a writer."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _unread(reason: str) -> tuple[bytes, Decoded]:
    return b"", Decoded(UNREADABLE, UNREADABLE, "", reason)


def decode(data: bytes, height: int, width: int) -> bytes:
    """RGB pixels, height·width·3 bytes in row order, resized with Lanczos as the published programs do.

    Unlike these, it applies the EXIF orientation, and stretches grey of more than 8 bits, as thermal cameras write it, as in
    `eight_bits` instead of clipping it.
    Raises ValueError, with the reason, for anything but a single image that can be decoded in full.
    """
    if not data:
        raise ValueError("an empty file, 0 bytes")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            _check_tags(data)
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                _check(image, data)
                image.load()  # before `_upright`, which ignores errors
                upright = _upright(eight_bits(image))
                rgb = upright if upright.mode == "RGB" else upright.convert("RGB")  # which would copy all pixels
                if rgb.size != (width, height):
                    rgb = rgb.resize((width, height), Image.Resampling.LANCZOS)
                return rgb.tobytes()
    except MemoryError:  # a problem of this machine, not of the file
        raise
    except Image.UnidentifiedImageError:
        raise ValueError(f"not an image, {len(data)} bytes; expected {', '.join(FORMATS)}") from None
    except Exception as error:  # Pillow's readers raise many kinds: OSError, SyntaxError, struct.error, …
        raise ValueError(f"cannot be decoded: {error}") from error


def _check(image: Image.Image, data: bytes) -> None:
    """Raises for files that Pillow accepts: several images in one file, PNGs with wrong checksums, and JPEGs that are truncated
    or take hours."""
    if image.width * image.height > PIXELS:
        raise ValueError(f"{image.width:,} × {image.height:,} pixels, expected at most {PIXELS:,}")
    if image.format != "MPO" and getattr(image, "is_animated", False):  # not counted: that takes minutes if there are millions
        raise ValueError("several images in one file, expected one")
    if image.format == "PNG":  # Pillow stops reading once all rows are complete, whatever their content
        Image.open(io.BytesIO(data), formats=FORMATS).verify()
    if image.format in ("JPEG", "MPO"):  # MPO: several pictures in one file, of which the first is decoded
        _check_jpeg(data, getattr(image, "n_frames", 1))
    if image.format == "TIFF":
        tags: Any = getattr(image, "tag_v2", {})
        width, length = (tags.get(tag, 0) for tag in (TILE_WIDTH, TILE_LENGTH))
        if width * length > PIXELS:  # may be far larger than the image, and is decoded whole
            raise ValueError(f"tiles of {width:,} × {length:,} pixels, expected at most {PIXELS:,}")


def _check_tags(data: bytes) -> None:
    """Raises if the file is a TIFF with so many or so long tags that Pillow would fill the memory with them while opening it."""
    if data[:4] not in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return
    order, big = ("<" if data[:1] == b"I" else ">"), 0x2B in data[2:4]
    try:
        (start,) = struct.unpack_from(order + ("Q" if big else "L"), data, 8 if big else 4)
        (number,) = struct.unpack_from(order + ("Q" if big else "H"), data, start)
    except struct.error:
        raise ValueError("truncated: its list of tags is missing") from None
    entry = struct.Struct(order + ("HHQ8x" if big else "HHL4x"))
    first, size = start + (8 if big else 2), 0
    for place in range(first, min(first + number * entry.size, len(data) - entry.size + 1), entry.size):
        _, kind, count = entry.unpack_from(data, place)
        size += entry.size + count * TAG_BYTES.get(kind, 1)
        if size > TAGS:
            raise ValueError(f"tags of more than {TAGS:,} bytes")


def _check_jpeg(data: bytes, pictures: int) -> None:
    """Raises unless each picture of the file is whole and has few scans."""
    end = 0
    for number in range(pictures):
        scans, end = _extent(data, data.find(b"\xff\xd8\xff", end))
        if scans > SCANS:
            raise ValueError(f"{scans} scans, expected at most {SCANS}")
        if end < 0:  # an interrupted copy may have its full length and end in zeros; coded pixels cannot contain the end marker
            raise ValueError("truncated: the end marker is missing" + f" of picture {number + 1} of {pictures}" * (pictures > 1))


def _extent(data: bytes, begin: int) -> tuple[int, int]:
    """The number of scans of a JPEG picture, and where it ends; -1 without an end marker.

    Jumps from marker to marker as libjpeg does, so neither a thumbnail within a segment nor trailing data is taken for the picture.
    """
    scans, place = 0, begin + 2 if begin >= 0 else len(data)
    while (marker := MARKER.search(data, place)) and marker[1] not in (BEGIN, END):
        scans += marker[1] == SCAN
        place = marker.end() + int.from_bytes(data[marker.end() : marker.end() + 2])  # the length of a segment
    return scans, marker.end() if marker and marker[1] == END and scans else -1


def eight_bits(image: Image.Image) -> Image.Image:
    """Stretches grey of more than 8 bits (modes I;16, I and F) to 8 bits; images of other modes are returned unchanged.

    The darkest pixel becomes 0 and the brightest 255. Outliers do not count: pixels below percentile 0.5 or above 99.5 by more
    than half of the distance between the two are clipped. A 16-bit image that uses the whole range keeps its high byte, up to
    rounding; a thermal image, whose 14 or 16 bits hold a few degrees, gets all 256 levels. An even image becomes mid grey.
    Raises ValueError for values that are not finite.
    """
    if not image.mode.startswith(("I", "F")):
        return image
    import numpy as np  # imported here, because few images need it and every worker would load it

    exact: type[np.floating] = np.float64 if image.mode == "I" else np.float32  # either holds every value of its modes
    grey = np.asarray(image).astype(exact)
    if not np.isfinite(grey).all():
        raise ValueError("pixels that are not finite numbers (NaN or infinity)")
    least, low, high, most = np.percentile(grey, (0, OUTLIERS, 100 - OUTLIERS, 100)).tolist()
    reach = (high - low) / 2 or most - least
    dark, bright = max(least, low - reach), min(most, high + reach)
    if dark == bright:
        return Image.new("L", image.size, 128)
    grey -= dark
    grey *= 255 / (bright - dark)
    return Image.fromarray(grey.clip(0, 255, out=grey).round(out=grey).astype(np.uint8))


def _upright(image: Image.Image) -> Image.Image:
    try:
        orientation = image.getexif().get(ORIENTATION)
    except Exception:  # a broken EXIF entry does not affect the pixels
        return image
    return image.transpose(UPRIGHT[orientation]) if orientation in UPRIGHT else image


class Target(NamedTuple):
    """Where pixels are written: row r of the images, height × width, starts at byte offset + r·height·width·3 of the file."""

    file: str
    offset: int
    height: int
    width: int

    def fill(self, tasks: Sequence[tuple[int, str]]) -> list[Decoded]:
        """Decode files into their rows; tasks (row, path). Rows of broken files are not changed.

        Raises OSError if the disk is full.
        """
        done = []
        # written, not mapped: on a full disk a write raises an error, while a page fault kills the process
        with open(self.file, "r+b") as file:  # noqa: PTH123
            for row, path in tasks:
                data, found = read(path)
                if not found.reason:
                    try:
                        pixels = decode(data, self.height, self.width)
                    except ValueError as error:
                        found = found._replace(reason=str(error))
                    else:
                        file.seek(self.offset + row * self.height * self.width * 3)
                        file.write(pixels)
                done.append(found)
        return done


def decode_all(
    tasks: Sequence[tuple[int, str]], target: Target, workers: int = 0
) -> Generator[list[tuple[int, Decoded]], None, None]:
    """Decode files into their rows, chunk by chunk in no particular order.

    tasks    (row, path)
    workers  processes, 0 = one per usable core; fewer than FEW images are decoded in this process

    Yields the result for each row. Raises OSError if the disk is full, DecodingError if a worker dies.
    """
    chunks = [tasks[start : start + CHUNK] for start in range(0, len(tasks), CHUNK)]
    if len(tasks) < FEW:
        for chunk in chunks:
            yield [(row, found) for (row, _), found in zip(chunk, target.fill(chunk), strict=True)]
        return
    from fsclib.system import children  # imported here, so that workers do not import fsclib

    command = [sys.executable, "-P", __file__, json.dumps(target)]  # -P: modules beside this one must not shadow others
    idle = [children.start(command, stdout=subprocess.PIPE, text=True) for _ in range(min(workers or usable_cores(), len(chunks)))]
    busy: dict[Any, tuple[subprocess.Popen, Sequence[tuple[int, str]]]] = {}  # by the output of the process
    processes = tuple(idle)
    try:
        while chunks or busy:
            while chunks and idle:
                process, chunk = idle.pop(), chunks.pop()
                with contextlib.suppress(BrokenPipeError):  # a dead worker is detected by its empty answer
                    print(json.dumps(chunk), file=process.stdin, flush=True)
                busy[process.stdout] = process, chunk
            for stream in wait(list(busy)):
                process, chunk = busy.pop(stream)
                idle.append(process)
                yield [(row, found) for (row, _), found in zip(chunk, _answer(process, chunk), strict=True)]
    finally:
        children.end(processes, patience=0)  # each would decode its chunk to the end


def _answer(process: subprocess.Popen, chunk: Sequence[tuple[int, str]]) -> list[Decoded]:
    assert process.stdout  # a pipe
    line = process.stdout.readline()
    if not line:
        from fsclib.data.pixels.errors import DecodingError  # as above

        raise DecodingError(
            f"a decoding process died (exit status {process.wait()}) on files {chunk[0][1]} to {chunk[-1][1]}. "
            "Start again with workers=1 to find the file, or with fewer workers if memory ran out."
        )
    answer = json.loads(line)
    if isinstance(answer, dict):
        raise OSError(answer["errno"], answer["strerror"])
    return [Decoded(*found) for found in answer]


def usable_cores() -> int:
    """Number of cores that this process may use, possibly fewer than the machine has."""
    if hasattr(os, "process_cpu_count"):
        return os.process_cpu_count() or 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _serve() -> None:
    target = Target(*json.loads(sys.argv[1]))
    for line in sys.stdin:
        try:
            answer: list[Decoded] | dict[str, int | str | None] = target.fill(json.loads(line))
        except OSError as error:
            answer = {"errno": error.errno, "strerror": error.strerror}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        _serve()
