"""What an object says of its pixels (PS3.3 C.7.6.3), and the pixels that come of it. Imports no numpy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from charrua_core.errors import FrameTooLarge, ImageInvalid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from charrua_core.types import DicomJson

MOST_FRAME_BYTES = 1 << 29
"""Largest decoded frame; a decoder needs several times as much."""

_NUMBERS = {
    "rows": ("00280010", "Rows"),
    "columns": ("00280011", "Columns"),
    "samples_per_pixel": ("00280002", "SamplesPerPixel"),
    "bits_allocated": ("00280100", "BitsAllocated"),
    "bits_stored": ("00280101", "BitsStored"),
    "high_bit": ("00280102", "HighBit"),
    "pixel_representation": ("00280103", "PixelRepresentation"),
    "planar_configuration": ("00280006", "PlanarConfiguration"),
    "number_of_frames": ("00280008", "NumberOfFrames"),
}
_PHOTOMETRIC = ("00280004", "PhotometricInterpretation")
_PIXEL_DATA = ("7FE00010", "PixelData")
_FLOATS = (("7FE00008", "FloatPixelData"), ("7FE00009", "DoubleFloatPixelData"))
_MONOCHROME = frozenset({"MONOCHROME1", "MONOCHROME2", "PALETTE COLOR"})
YBR_FULL_422 = "YBR_FULL_422"
_BIG_ENDIAN = "1.2.840.10008.1.2.2"


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """How the pixels of one object are encoded: its Image Pixel module (PS3.3 C.7.6.3) and its transfer syntax.

    One that was made holds together: sizes are positive and within `MOST_FRAME_BYTES`; ImageInvalid or FrameTooLarge says
    what does not.
    """

    transfer_syntax_uid: str
    rows: int
    columns: int
    samples_per_pixel: int = 1
    bits_allocated: int = 16
    bits_stored: int = 16
    high_bit: int = 15
    pixel_representation: int = 0
    """0 unsigned, 1 two's complement."""
    photometric_interpretation: str = "MONOCHROME2"
    planar_configuration: int = 0
    """0 colour by pixel, 1 colour by plane; what native frames go by."""
    number_of_frames: int = 1
    pixel_data_vr: str = "OW"
    """OB or OW; what bytes of big endian frames go by (PS3.5 A.3)."""
    is_float: bool = False
    """The pixels are in Float or Double Float Pixel Data: `bits_allocated` is 32 or 64, and nothing is signed or unused."""

    def __post_init__(self) -> None:
        for name in ("rows", "columns", "number_of_frames"):
            if getattr(self, name) < 1:
                raise ImageInvalid(f"{name} is {getattr(self, name)}")
        if self.rows > 0xFFFF or self.columns > 0xFFFF:
            raise ImageInvalid("rows or columns do not fit into 16 bits")
        if self.samples_per_pixel not in (1, 3):
            raise ImageInvalid(f"a pixel has {self.samples_per_pixel} samples, which is neither 1 nor 3")
        if (self.samples_per_pixel == 1) != (self.photometric_interpretation in _MONOCHROME):
            raise ImageInvalid(
                f"photometric interpretation {self.photometric_interpretation} with {self.samples_per_pixel} samples"
            )
        if self.bits_allocated not in ((32, 64) if self.is_float else (1, 8, 16, 32, 64)):
            raise ImageInvalid(f"{self.bits_allocated} bits allocated")
        if not 1 <= self.bits_stored <= self.high_bit + 1 <= self.bits_allocated:
            raise ImageInvalid(f"bits {self.bits_allocated}, {self.bits_stored} stored, {self.high_bit} the highest")
        if self.pixel_representation not in (0, 1) or self.planar_configuration not in (0, 1):
            raise ImageInvalid("pixel representation and planar configuration are 0 or 1")
        if self.decoded_bytes > MOST_FRAME_BYTES:
            raise FrameTooLarge(f"a frame of {self.columns} × {self.rows} pixels is {self.decoded_bytes} bytes large")

    @classmethod
    def from_json(cls, header: DicomJson, transfer_syntax_uid: str) -> Self:
        """Give the format that a data set in the DICOM JSON Model says, as `core.instance.header` holds it unpacked.

        Raises ImageInvalid where it is no image, or a contradictory one.
        """
        values = {tag: _first(header.get(tag)) for tag, _ in [*_NUMBERS.values(), _PHOTOMETRIC]}
        numbers = {name: values[tag] for name, (tag, _) in _NUMBERS.items()}
        is_float = any(tag in header for tag, _ in _FLOATS)
        vr = header.get(_PIXEL_DATA[0], {}).get("vr", "OW")
        return cls._of(transfer_syntax_uid, numbers, values[_PHOTOMETRIC[0]], vr, is_float=is_float)

    @classmethod
    def from_dataset(cls, dataset: Any, transfer_syntax_uid: str | None = None) -> Self:
        """Give the format of a pydicom Dataset, whose file meta information names the transfer syntax if you do not."""
        uid = transfer_syntax_uid or str(getattr(dataset, "file_meta", {}).get("TransferSyntaxUID", ""))
        numbers = {name: dataset.get(keyword) for name, (_, keyword) in _NUMBERS.items()}
        is_float = any(keyword in dataset for _, keyword in _FLOATS)
        vr = dataset[_PIXEL_DATA[1]].VR if _PIXEL_DATA[1] in dataset else "OW"
        return cls._of(uid, numbers, dataset.get(_PHOTOMETRIC[1]), vr, is_float=is_float)

    @classmethod
    def _of(cls, uid: str, given: Mapping[str, Any], photometric: Any, vr: str, *, is_float: bool) -> Self:
        numbers = {name: _whole(name, value) for name, value in given.items() if value not in (None, "")}
        for name in ("rows", "columns", "bits_allocated"):
            if name not in numbers:
                raise ImageInvalid(f"the object has no {name}, and so is no image")
        allocated = numbers["bits_allocated"]
        stored = allocated if is_float else numbers.setdefault("bits_stored", allocated)
        numbers["bits_stored"] = stored
        # Devices that get it wrong mean what has been the rule since 2014: the stored bits are the lowest.
        if not stored <= numbers.get("high_bit", -1) + 1 <= allocated:
            numbers["high_bit"] = stored - 1
        numbers.setdefault("number_of_frames", 1)
        numbers["number_of_frames"] = numbers["number_of_frames"] or 1
        samples = numbers.setdefault("samples_per_pixel", 1)
        named = str(photometric or "").strip() or ("RGB" if samples == 3 else "MONOCHROME2")
        return cls(uid, photometric_interpretation=named, pixel_data_vr=vr, is_float=is_float, **numbers)

    @property
    def is_signed(self) -> bool:
        """Whether samples are two's complement."""
        return self.pixel_representation == 1 and not self.is_float

    @property
    def dtype(self) -> str:
        """Name of the numpy type of decoded samples: `uint8`, `int16`, `float32` …; of single bits, `uint8`."""
        bits = max(8, self.bits_allocated)
        if self.is_float:
            return f"float{bits}"
        return f"{'' if self.is_signed else 'u'}int{bits}"

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a decoded frame: (rows, columns), of colour (rows, columns, 3)."""
        size = (self.rows, self.columns)
        return size if self.samples_per_pixel == 1 else (*size, self.samples_per_pixel)

    @property
    def decoded_bytes(self) -> int:
        """Bytes of a decoded frame."""
        return self.rows * self.columns * self.samples_per_pixel * max(8, self.bits_allocated) // 8

    @property
    def swaps_bytes(self) -> bool:
        """Whether the bytes of a native frame are swapped in pairs: those of big endian words, of at most 8 bits a pixel."""
        big = self.transfer_syntax_uid == _BIG_ENDIAN and self.pixel_data_vr != "OB"
        return big and self.bits_allocated <= 8

    @property
    def native_bits(self) -> int:
        """Bits of a frame in a native transfer syntax (PS3.5 8.1.1, 8.2): those of single-bit images need fill no byte."""
        samples = self.samples_per_pixel
        if self.photometric_interpretation == YBR_FULL_422:
            samples = 2  # one Cb and one Cr for two pixels (PS3.3 C.7.6.3.1.2)
        return self.rows * self.columns * samples * self.bits_allocated


@dataclass(frozen=True, slots=True)
class NativeFrame:
    """Where a frame lies in the value of native pixel data: byte range, and bits to skip in its first byte."""

    offset: int
    length: int
    skipped_bits: int = 0


def native_frame(pixel_format: PixelFormat, index: int) -> NativeFrame:
    """Give where frame `index`, counted from 0, lies; IndexError if there is none.

    Frames follow one another without padding, so that one of a single-bit image may begin within a byte (PS3.5 8.1.1).
    """
    if not 0 <= index < pixel_format.number_of_frames:
        raise IndexError(index)
    first = index * pixel_format.native_bits
    end = first + pixel_format.native_bits
    if pixel_format.swaps_bytes:
        if first % 16:
            raise ImageInvalid("a frame of swapped bytes begins within a word")
        end += -end % 16
    return NativeFrame(first // 8, -(-end // 8) - first // 8, first % 8)


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """A decoded frame: samples of `PixelFormat.dtype` and `.shape`, and how to read them."""

    pixels: NDArray[Any]
    photometric_interpretation: str
    """MONOCHROME1, MONOCHROME2, PALETTE COLOR, RGB or YBR_FULL; see `codecs.decode_frame`."""


def _first(element: Mapping[str, Any] | None) -> Any:
    values = (element or {}).get("Value") or [None]
    return values[0]


def _whole(name: str, value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        raise ImageInvalid(f"{name} is no number") from None
