"""Studies put straight into the index, without files: for tests of what finds them."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg
import orjson

from charrua_core.archive.datasets.header import pack_json
from charrua_core.archive.index.levels import attributes_at, column_values, tag_of
from charrua_core.types import DicomJson, Level

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
_numbers = itertools.count(1)


def json_of(keywords: Mapping[str, Any]) -> DicomJson:
    """Give attributes by keyword as DICOM JSON: a list is several values, a mapping an item, None no value."""
    return dict(_element(keyword, value) for keyword, value in keywords.items())


def _element(keyword: str, value: Any) -> tuple[str, dict[str, Any]]:
    from pydicom.datadict import dictionary_VR

    tag = tag_of(keyword)
    vr = dictionary_VR(int(tag, 16))
    values = [_value(vr, one) for one in (value if isinstance(value, list) else [value]) if one not in (None, "")]
    return tag, {"vr": vr, "Value": values} if values else {"vr": vr}


def _value(vr: str, value: Any) -> Any:
    if vr == "SQ":
        return json_of(value)
    if vr != "PN":
        return value
    return dict(zip(("Alphabetic", "Ideographic", "Phonetic"), value.split("="), strict=False))


class Shelf:
    """Puts studies into the index of an open archive."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def study(self, *series: Sequence[Mapping[str, Any]], **attributes: Any) -> str:
        """Put a study; each series is a list of objects, attributes by keyword. Gives the Study Instance UID."""
        number = next(_numbers)
        uid: str = attributes.setdefault("StudyInstanceUID", f"1.2.3.{number}")
        known = json_of(attributes)
        groups = [[json_of({**attributes, **one}) for one in objects] for objects in (series or [[{}]])]
        modalities = {
            one["00080060"]["Value"][0] for group in groups for one in group if "Value" in one.get("00080060", {})
        }
        row = {
            "study_uid": uid,
            "attributes": orjson.dumps(attributes_at(Level.STUDY, known)),
            **column_values(Level.STUDY, known),
            "modalities": sorted(modalities),
            "sop_classes": [CT_IMAGE],
            "series_count": len(groups),
            "instance_count": sum(map(len, groups)),
        }
        study_id = await self._insert("study", row)
        for index, group in enumerate(groups, 1):
            await self._series(study_id, uid, f"{uid}.{index}", group)
        return uid

    async def _series(self, study_id: int, study_uid: str, series_uid: str, objects: Sequence[DicomJson]) -> None:
        known = objects[0] | json_of({"SeriesInstanceUID": series_uid})
        row = {
            "study_id": study_id,
            "series_uid": series_uid,
            "received_study_uid": study_uid,
            "attributes": orjson.dumps(attributes_at(Level.SERIES, known)),
            "instance_count": len(objects),
            **column_values(Level.SERIES, known),
        }
        series_id = await self._insert("series", row)
        for index, image in enumerate(objects, 1):
            uids = {"SeriesInstanceUID": series_uid, "SOPInstanceUID": f"{series_uid}.{index}", "SOPClassUID": CT_IMAGE}
            await self._object(series_id, uids["SOPInstanceUID"], image | json_of(uids))

    async def _object(self, series_id: int, uid: str, header: DicomJson) -> None:
        columns = column_values(Level.IMAGE, header)
        row = {
            "series_id": series_id,
            "sop_instance_uid": uid,
            "sop_class_uid": CT_IMAGE,
            "transfer_syntax_uid": EXPLICIT_LITTLE,
            "volume_id": 1,
            "path": f"none/{uid}.dcm",
            "size_bytes": 1000,
            "dataset_offset": 400,
            "meta_digest": b"",
            "dataset_digest": b"",
            "header": pack_json(orjson.dumps(header)),
            "arrival_id": uuid.uuid4(),
            **columns,
        }
        await self._insert("instance", row)

    async def _insert(self, table: str, row: Mapping[str, Any]) -> int:
        names, places = ", ".join(row), ", ".join(f"${number}" for number in range(1, len(row) + 1))
        statement = f"insert into core.{table} ({names}) values ({places}) returning id"  # noqa: S608 - our own names
        number: int = await self._connection.fetchval(statement, *row.values())
        return number

    async def run(self, statement: str, *values: Any) -> None:
        """Change the index behind the archive's back."""
        await self._connection.execute(statement, *values)
