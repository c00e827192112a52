"""Objects from one transfer syntax to another, frame by frame through imaging's workers: memory does not grow with them.

Data sets change their layout alone wherever their pixels can stay as they are. Lossless syntaxes keep every stored value;
what lossy compression makes of an object is another object, with a SOP Instance UID of its own (PS3.3 C.7.6.1.1.2).
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from charrua_core import errors
from charrua_core.archive.datasets.recode import NATIVE
from charrua_core.archive.datasets.source import SegmentSource
from charrua_core.errors import CodecUnavailable, ImageInvalid
from charrua_core.imaging.codecs.encoded import EncodeOptions, encoded_format
from charrua_core.imaging.codecs.syntaxes import DEFLATED_EXPLICIT, EXPLICIT_BIG_ENDIAN, LOSSY
from charrua_core.imaging.dataset import Segments, around_pixels, described, native_pixels
from charrua_core.imaging.encapsulation import Body, JoinedBits, encapsulated, fragment
from charrua_core.imaging.frame_work import TranscodedFrame, as_decoded, keeps_words, transcode_frame
from charrua_core.imaging.in_order import in_order
from charrua_core.imaging.lossy import SOP_INSTANCE_UID, Changes, derivation, inherited
from charrua_core.imaging.subject import PIXEL_DATA, Subject
from charrua_core.types import FileRange

if TYPE_CHECKING:
    from charrua_core.archive.check.survey import Place
    from charrua_core.imaging.workers import Imaging

PIXEL_FAILURES = (
    errors.CodecUnavailable,
    errors.ImageInvalid,
    errors.FrameUndecodable,
    errors.FrameTooLarge,
    errors.FramePoisoned,
    errors.ImagingTimeout,
    errors.ImagingCrashed,
    errors.ImagingFailed,
)
"""What keeps an object from being transcoded, and no other one."""

_PACKED_AT_ONCE = 1 << 20
VIDEO = frozenset(f"1.2.840.10008.1.2.4.{number}" for number in range(100, 109)) | frozenset(
    f"1.2.840.10008.1.2.4.{number}.1" for number in range(100, 107)
)
"""MPEG-2, MPEG-4 and HEVC (PS3.5 A.4.5 to A.4.7): the stream is the object, and frames cannot be had out of it."""


@dataclass(frozen=True, slots=True)
class Transcoded:
    """A data set in its new transfer syntax: the segments, one after another."""

    transfer_syntax_uid: str
    sop_instance_uid: str
    segments: Segments


class _Pixels(NamedTuple):
    """Pixel data element, and what it changes in the data set."""

    segments: Segments
    changes: Changes


@asynccontextmanager
async def transcoded(
    imaging: Imaging,
    segments: Sequence[bytes | FileRange],
    stored: str,
    wanted: str,
    spill: Callable[[], str],
    options: EncodeOptions | None = None,
    *,
    timeout_s: float | None = None,
) -> AsyncIterator[Transcoded]:
    """The data set of the segments, which is in the transfer syntax `stored`, in the one that is wanted.

    What is too large for memory lies in a file, at the path that `spill` gives, until the block ends. `timeout_s` is for
    each frame. Raises
    CodecUnavailable where the syntax cannot carry the object, ImageInvalid or FrameUndecodable where its pixels are not
    what it says, HeaderDamaged, StorageFailed, StorageFull.
    """
    with await asyncio.to_thread(Subject, segments, stored) as subject, Body(spill) as body, Body(spill) as packed:
        made = await _Transcoding(imaging, subject, wanted, body, options or EncodeOptions(), timeout_s).run()
        if wanted == DEFLATED_EXPLICIT:
            made = replace(made, segments=await asyncio.to_thread(_deflated, made.segments, packed))
        yield made


class _Transcoding:
    """One object on its way."""

    def __init__(
        self,
        imaging: Imaging,
        subject: Subject,
        wanted: str,
        body: Body,
        options: EncodeOptions,
        timeout_s: float | None,
    ) -> None:
        self._imaging = imaging
        self._subject = subject
        self._wanted = wanted
        self._body = body
        self._options = options
        self._timeout_s = timeout_s

    async def run(self) -> Transcoded:
        _refuse(self._subject, self._wanted)
        made = await self._pixels()
        before, behind = await asyncio.to_thread(around_pixels, self._subject, made.changes, self._wanted)
        segments = [*before, *made.segments, *behind]
        uids = made.changes.get(SOP_INSTANCE_UID, {}).get("Value") or self._subject.values(SOP_INSTANCE_UID)
        return Transcoded(self._wanted, next(iter(uids), ""), [segment for segment in segments if segment])

    async def _pixels(self) -> _Pixels:
        place = self._subject.pixel_place
        if place is None:
            return _Pixels([], {})
        if self._subject.is_native and self._wanted in NATIVE:
            return await asyncio.to_thread(self._passed_on, place)
        return await self._through_codecs()

    def _passed_on(self, place: Place) -> _Pixels:
        """Native pixels in another native syntax."""
        value = list(self._subject.native_value(big_endian=self._wanted == EXPLICIT_BIG_ENDIAN))
        length = sum(len(one) if isinstance(one, bytes) else one.length for one in value)
        return _Pixels(native_pixels(place.tag, place.vr, value, length, self._wanted), {})

    async def _through_codecs(self) -> _Pixels:
        subject = self._subject
        subject.check_frames()
        bits = subject.format.native_bits if self._wanted in NATIVE else 0
        joined = JoinedBits(bits)
        lengths: list[int] = []
        photometric = ""
        async for frame in in_order(self._frame, subject.format):
            photometric = photometric or frame.photometric_interpretation
            if frame.photometric_interpretation != photometric:
                raise ImageInvalid("the frames differ in their colours")
            lengths.append(len(frame.data))
            pieces = [joined.whole_bytes(frame.data)] if bits else fragment(frame.data)
            await asyncio.to_thread(self._body.add, *pieces)
        pixels = encoded_format(as_decoded(subject.format, photometric), self._wanted)
        if keeps_words(subject.transfer_syntax_uid, self._wanted):
            pixels = replace(pixels, high_bit=subject.format.high_bit)
        changes = {**described(subject, pixels), **inherited(subject)}
        if bits:
            self._body.add(joined.rest())
            vr = "OB" if pixels.bits_allocated <= 8 else "OW"
            value, length = self._body.segments(), self._body.size
            return _Pixels(native_pixels(PIXEL_DATA, vr, value, length, self._wanted), changes)
        return _Pixels(encapsulated(lengths, self._body.segments()), changes | self._derivation(lengths))

    def _derivation(self, lengths: Sequence[int]) -> Changes:
        if self._wanted not in LOSSY:
            return {}
        before = self._subject.format.native_bits / 8 * len(lengths)
        return derivation(self._subject, self._wanted, self._options, before / sum(lengths))

    async def _frame(self, index: int) -> TranscodedFrame:
        arguments = (self._subject.frame(index), self._subject.format, self._wanted, self._options)
        return await self._imaging.run(transcode_frame, *arguments, timeout_s=self._timeout_s)


def _refuse(subject: Subject, wanted: str) -> None:
    """Raise CodecUnavailable for what no codec is to be asked about."""
    if VIDEO & {subject.transfer_syntax_uid, wanted}:
        raise CodecUnavailable("a video leaves only as it came")
    place = subject.pixel_place
    if place is not None and place.tag != PIXEL_DATA and wanted not in NATIVE:
        raise CodecUnavailable(f"{wanted} does not take floating-point pixels")


def _deflated(segments: Segments, body: Body) -> Segments:
    """Pack a data set (PS3.5 A.5)."""
    packer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    with SegmentSource(segments) as source:
        for at in range(0, source.size, _PACKED_AT_ONCE):
            body.add(packer.compress(source.read(at, _PACKED_AT_ONCE)))
    body.add(packer.flush())
    body.add(b"\0" * (body.size & 1))
    return body.segments()
