"""One content item's value, by its Value Type (PS3.3 C.17.3.2.1 and C.18)."""

from __future__ import annotations

from collections.abc import Callable

from charrua_core.errors import DocumentTooLarge
from charrua_core.imaging.documents import attributes as a
from charrua_core.imaging.documents.values import (
    Coded,
    Measured,
    Moment,
    Reference,
    Region,
    Stretch,
    Table,
    Text,
    Value,
)
from charrua_core.types import DicomJson

_CELLS = 20_000
_SELECTOR_CODE = "00720080"
_SELECTOR_VALUES = range(0x0072005E, 0x00720084)


def template(found: DicomJson) -> str:
    """Mapping resource and identifier of a container's template, as `DCMR 1500`."""
    told = a.item(found, "0040A504")
    return f"{a.text(told, '00080105')} {a.text(told, '0040DB00')}".strip()


def _text(tag: str) -> Callable[[DicomJson], Value | None]:
    return lambda found: Text(told) if (told := a.text(found, tag)) else None


def _moment(tag: str, readable: Callable[[str], str]) -> Callable[[DicomJson], Value | None]:
    return lambda found: Moment(told, readable(told)) if (told := a.text(found, tag)) else None


def _code(found: DicomJson) -> Value | None:
    code = a.code(found, "0040A168")
    return Coded(code) if code else None


def _measured(found: DicomJson) -> Value | None:
    measured = a.item(found, "0040A300")
    qualifier = a.code(found, "0040A301")
    exact = a.number(measured, "0040A161")
    number = exact if exact is not None else a.number(measured, "0040A30A")
    units = a.code(measured, "004008EA")
    return Measured(number, units, qualifier) if measured or qualifier else None


def reference(found: DicomJson) -> Reference:
    """An item of a Referenced SOP Sequence (PS3.3 10.8)."""
    channels = [int(one) for one in a.numbers(found, "0040A0B0")]
    state = a.item(found, "00081199")
    return Reference(
        a.text(found, "00081150"),
        a.text(found, "00081155"),
        _whole(found, "00081160"),
        _whole(found, "0062000B"),
        tuple(zip(channels[::2], channels[1::2], strict=False)),
        a.text(state, "00081155"),
        a.code(found, "0040A170"),
    )


def _referenced(found: DicomJson) -> Value | None:
    told = a.item(found, "00081199")
    return reference(told) if told else None


def _whole(found: DicomJson, tag: str) -> tuple[int, ...]:
    return tuple(int(number) for number in a.numbers(found, tag))


def _region(dimensions: int) -> Callable[[DicomJson], Value | None]:
    def read(found: DicomJson) -> Value | None:
        graphic, coordinates = a.text(found, "00700023"), tuple(a.numbers(found, "00700022"))
        frame = a.text(found, "30060024")
        return Region(graphic, dimensions, coordinates, frame) if graphic or coordinates else None

    return read


def _stretch(found: DicomJson) -> Value | None:
    moments = tuple(a.moment(str(one)) for one in a.values(found, "0040A13A") if one)
    kind, offsets = a.text(found, "0040A130"), tuple(a.numbers(found, "0040A138"))
    samples = _whole(found, "0040A132")
    return Stretch(kind, samples, offsets, moments) if kind or samples or offsets or moments else None


def _table(found: DicomJson) -> Value | None:
    told = a.item(found, "0040A801")
    rows, columns = a.count(told, "0040A802"), a.count(told, "0040A803")
    if rows * columns > _CELLS:
        raise DocumentTooLarge(f"a table of the document has more than {_CELLS} cells")
    if not rows or not columns:
        return None
    cells = [[""] * columns for _ in range(rows)]
    for cell in a.items(told, "0040A808"):
        row, column = a.count(cell, "0040A804"), a.count(cell, "0040A805")
        if 1 <= row <= rows and 1 <= column <= columns:
            cells[row - 1][column - 1] = _cell(cell)
    return Table(
        _titles(told, "0040A807", "0040A805", columns),
        _titles(told, "0040A806", "0040A804", rows),
        tuple(tuple(row) for row in cells),
    )


def _titles(told: DicomJson, sequence: str, number: str, length: int) -> tuple[str, ...]:
    """The names of the rows or columns with their units; empty ones where the table does not name them."""
    titles = [""] * length
    for one in a.items(told, sequence):
        at, concept, units = a.count(one, number), a.code(one, "0040A043"), a.code(one, "004008EA")
        if 1 <= at <= length:
            unit = Measured(None, units).units_text
            titles[at - 1] = " ".join(
                part for part in (concept.text if concept else "", f"({unit})" if unit else "") if part
            )
    return tuple(titles)


def _cell(cell: DicomJson) -> str:
    """A cell's value: it stands in the Selector attribute of its VR (PS3.3 C.18.10)."""
    coded = a.code(cell, _SELECTOR_CODE)
    if coded:
        return coded.text
    told = (a.text(cell, f"{tag:08X}") for tag in _SELECTOR_VALUES)
    return next((value for value in told if value), "")


VALUE_READERS: dict[str, Callable[[DicomJson], Value | None]] = {
    "TEXT": _text("0040A160"),
    "NUM": _measured,
    "CODE": _code,
    "DATETIME": _moment("0040A120", a.moment),
    "DATE": _moment("0040A121", a.date),
    "TIME": _moment("0040A122", a.time),
    "UIDREF": _text("0040A124"),
    "PNAME": _text("0040A123"),
    "COMPOSITE": _referenced,
    "IMAGE": _referenced,
    "WAVEFORM": _referenced,
    "SCOORD": _region(2),
    "SCOORD3D": _region(3),
    "TCOORD": _stretch,
    "TABLE": _table,
}
