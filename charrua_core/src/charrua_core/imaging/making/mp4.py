"""What an MP4 file says of its video (ISO 14496-12 and -15), read box by box without a decoder."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from charrua_core.errors import ImageInvalid

LARGEST_MOVIE_BOX = 64 << 20
MOST_BOXES = 10_000
H264, H265 = "H.264", "H.265"
_CODECS = {b"avc1": H264, b"avc3": H264, b"hvc1": H265, b"hev1": H265}
_CONFIGURATION = {H264: b"avcC", H265: b"hvcC"}
_VISUAL_ENTRY = 78  # bytes of a VisualSampleEntry before its boxes
_MP4_BRANDS = frozenset({b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1", b"M4V ", b"MSNV"})


@dataclass(frozen=True, slots=True)
class Video:
    """The one video track of a file."""

    codec: str
    profile: int
    """profile_idc of H.264, general_profile_idc of H.265."""
    constrained: bool
    """Of H.264: constraint_set1_flag, with which Baseline is a part of Main."""
    level: int
    """level_idc: ten times the level of H.264, thirty times that of H.265."""
    bits: int
    rows: int
    columns: int
    frames: int
    seconds: float

    @property
    def frame_time_ms(self) -> float:
        """How long a frame is shown, on the average."""
        return 1000 * self.seconds / self.frames


def video_of(path: Path) -> Video:
    """Read the file; raises ImageInvalid, which says what is wrong and what to do. Blocks."""
    try:
        return _video(_movie_box(path))
    except (struct.error, IndexError, KeyError) as error:
        raise ImageInvalid("the MP4 does not hold together") from error


def _movie_box(path: Path) -> bytes:
    with path.open("rb") as file:
        size = path.stat().st_size
        brands: frozenset[bytes] = frozenset()
        for kind, begin, end in _top_boxes(file, size):
            if kind == b"ftyp":
                file.seek(begin)
                told = file.read(min(end - begin, 4096))
                brands = frozenset({told[:4], *(told[at : at + 4] for at in range(8, len(told), 4))})
            elif kind == b"moov":
                if not brands & _MP4_BRANDS:
                    raise ImageInvalid("the video is a QuickTime file: save it as MP4")
                if end - begin > LARGEST_MOVIE_BOX:
                    raise ImageInvalid("the MP4 describes more than this archive reads")
                file.seek(begin)
                return file.read(end - begin)
    raise ImageInvalid("the MP4 is cut off: it does not say what is in it")


def _top_boxes(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, begin and end of the content of each box."""
    at = 0
    for _ in range(MOST_BOXES):
        if at + 8 > size:
            return
        file.seek(at)
        length, kind, long = struct.unpack(">L4sQ", file.read(16).ljust(16, b"\0"))
        head = 16 if length == 1 else 8
        length = long if length == 1 else length or size - at
        if length < head or at + length > size:
            raise ImageInvalid("the MP4 is cut off: a part of it is missing")
        yield kind, at + head, at + length
        at += length


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    for _ in range(MOST_BOXES):
        if at + 8 > len(data):
            return
        length, kind = struct.unpack_from(">L4s", data, at)
        head = 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, at + 8)
            head = 16
        length = length or len(data) - at
        if length < head or at + length > len(data):
            raise ImageInvalid("the MP4 does not hold together")
        yield kind, data[at + head : at + length]
        at += length


def _inner(data: bytes, *path: bytes) -> bytes:
    """The content of the first box at a path; KeyError where there is none."""
    for name in path:
        data = next((content for kind, content in _boxes(data) if kind == name), b"")
        if not data:
            raise KeyError(name)
    return data


def _video(movie: bytes) -> Video:
    tracks = [content for kind, content in _boxes(movie) if kind == b"trak"]
    videos = [track for track in tracks if _inner(track, b"mdia", b"hdlr")[8:12] == b"vide"]
    if len(videos) != 1:
        raise ImageInvalid("an MP4 with one video is expected, this one has " + str(len(videos)))
    media = _inner(videos[0], b"mdia")
    table = _inner(media, b"minf", b"stbl")
    (frames,) = struct.unpack_from(">L", _inner(table, b"stsz"), 8)
    seconds = _seconds(_inner(media, b"mdhd"))
    if not frames or not seconds:
        raise ImageInvalid("the MP4 is fragmented or empty: save it as one file that is ready for playing")
    return _described(_inner(table, b"stsd"), frames, seconds)


def _seconds(header: bytes) -> float:
    at, form = (20, ">LQ") if header[0] == 1 else (12, ">LL")
    timescale, duration = struct.unpack_from(form, header, at)
    return duration / timescale if timescale else 0.0


def _described(samples: bytes, frames: int, seconds: float) -> Video:
    kind, entry = next(_boxes(samples[8:]))
    codec = _CODECS.get(kind)
    if codec is None:
        name = kind.decode("ascii", "replace")
        raise ImageInvalid(f"the video is coded as {name}: H.264 and H.265 are taken, so convert it")
    columns, rows = struct.unpack_from(">HH", entry, 24)
    told = _inner(entry[_VISUAL_ENTRY:], _CONFIGURATION[codec])
    if codec == H264:
        return Video(codec, told[1], bool(told[2] & 0x40), told[3], 8, rows, columns, frames, seconds)
    return Video(codec, told[1] & 0x1F, True, told[12], 8 + (told[17] & 7), rows, columns, frames, seconds)
