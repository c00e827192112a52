"""Fills the index with studies that look like a hospital's, without files: for the measurements and plans of searches.

`python -m benchmarks.fill_index URL STUDIES` copies studies, their series (1 to 3) and one object for each series into the
tables of schema `core`. The same numbers give the same rows.
"""

from __future__ import annotations

# ruff: noqa: SIM905 - lists of words read better as text
import asyncio
import random
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import orjson

from charrua_core.archive.datasets.header import pack_json
from charrua_core.archive.index.levels import column_values
from charrua_core.types import Level

ROOT = "1.2.826.0.1.3680043.10.1"
BATCH = 20_000
FIRST_DAY = date(2016, 1, 1)
STUDIES_A_DAY = 275
PATIENTS = 400_000
CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
SIZE = 524_288

SURNAMES = """García Rodríguez González Fernández López Martínez Sánchez Pérez Gómez Silva Núñez Álvarez Suárez Méndez Muñoz
Castro Acosta Cabrera Olivera Techera Cuñarro Etcheverry Larrañaga Ibáñez Viñoly Müller Schröder Weiß Jørgensen Nyström
O'Brien Smith Johnson Nguyễn Yılmaz Šimić Dvořák Kowalski Łukasik Popescu Papadopoulou Ivanova Haddad Cohen Okafor""".split()
SYLLABLES = "al ba ce di er fa gon hu is jo ka lu ma ne or pa qui ro sa tor ur vi wen xi ya zu bel tran mon dez".split()
GIVEN = """María José Juan Ana Luis Carlos Lucía Martín Sofía Diego Valentina Andrés Inés Raúl Beatriz Óscar Zoë François
Jürgen Åsa Mary John Peter Anne Mohamed Fatima Hans Olga Ivan Chloé""".split()
MODALITIES = ["CT"] * 30 + ["MR"] * 15 + ["CR"] * 20 + ["DX"] * 15 + ["US"] * 14 + ["MG"] * 5 + ["NM"]
DESCRIPTIONS = [
    "TÓRAX",
    "CRÁNEO SIN CONTRASTE",
    "ABDOMEN Y PELVIS",
    "RODILLA DERECHA",
    "COLUMNA LUMBAR",
    "MAMOGRAFÍA",
    "",
]

Row = dict[str, Any]


def _surname(chance: random.Random) -> str:
    """Give a frequent surname half of the time, otherwise a rare one put together from syllables."""
    if chance.random() < 0.5:
        return chance.choice(SURNAMES)
    return "".join(chance.choices(SYLLABLES, k=chance.randint(2, 4))).capitalize()


def _name(chance: random.Random) -> str:
    given = " ".join(chance.sample(GIVEN, k=chance.randint(1, 2)))
    return f"{_surname(chance)} {_surname(chance)}^{given}"


def study(number: int) -> Row:
    """Give the row of a study; its id is `number`."""
    chance = random.Random(number)
    day = FIRST_DAY + timedelta(days=number // STUDIES_A_DAY)
    patient_id = chance.randrange(1_000_000, 1_000_000 + PATIENTS)
    patient = random.Random(patient_id)
    born = date(1930, 1, 1) + timedelta(days=patient.randrange(33_000))
    attributes = {
        "0020000D": element("UI", f"{ROOT}.{number}"),
        "00100010": element("PN", {"Alphabetic": _name(patient)}),
        "00100020": element("LO", str(patient_id)),
        "00100030": element("DA", f"{born:%Y%m%d}"),
        "00100040": element("CS", patient.choice("FMO")),
        "00080020": element("DA", f"{day:%Y%m%d}"),
        "00080030": element("TM", f"{chance.randrange(24):02}{chance.randrange(60):02}00"),
        "00080050": element("SH", f"A{number:09}"),
        "00080090": element("PN", {"Alphabetic": _name(chance)}),
        "00081030": element("LO", chance.choice(DESCRIPTIONS)),
        "00200010": element("SH", str(number)),
    }
    series = chance.randint(1, 3)
    received = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return {
        "id": number,
        "study_uid": f"{ROOT}.{number}",
        "attributes": orjson.dumps(attributes).decode(),
        **column_values(Level.STUDY, attributes),
        "modalities": [chance.choice(MODALITIES)],
        "sop_classes": [CT_IMAGE],
        "series_count": series,
        "instance_count": series,
        "size_bytes": SIZE * series,
        "first_received_at": received,
        "last_received_at": received,
    }


def series_of(study: Row) -> Iterator[Row]:
    """Give the rows of a study's series."""
    for number in range(1, study["series_count"] + 1):
        modality, uid = study["modalities"][0], f"{study['study_uid']}.{number}"
        attributes = {
            "0020000E": element("UI", uid),
            "00080060": element("CS", modality),
            "00200011": element("IS", number),
            "0008103E": element("LO", f"{modality} {number}"),
            "00080021": element("DA", study["study_date"]),
        }
        yield {
            "id": study["id"] * 4 + number,
            "study_id": study["id"],
            "series_uid": uid,
            "received_study_uid": study["study_uid"],
            "attributes": orjson.dumps(attributes).decode(),
            **column_values(Level.SERIES, attributes),
            "instance_count": 1,
            "size_bytes": SIZE,
        }


def object_of(study: Row, series: Row, volume: int) -> Row:
    """Give the row of the one object of a series."""
    uid, digest = f"{series['series_uid']}.1", b"\0" * 32
    own = {"00080018": element("UI", uid), "00080016": element("UI", CT_IMAGE), "00200013": element("IS", 1)}
    header = pack_json(orjson.dumps(orjson.loads(study["attributes"]) | orjson.loads(series["attributes"]) | own))
    return {
        "id": series["id"],
        "series_id": series["id"],
        "sop_instance_uid": uid,
        "sop_class_uid": CT_IMAGE,
        "transfer_syntax_uid": EXPLICIT_LITTLE,
        "instance_number": "1",
        "rows": 512,
        "columns": 512,
        "volume_id": volume,
        "path": f"none/{uid}.dcm",
        "size_bytes": SIZE,
        "dataset_offset": 400,
        "meta_digest": digest,
        "dataset_digest": digest,
        "header": header,
        "arrival_id": uuid.UUID(int=series["id"]),
    }


def element(vr: str, value: Any) -> dict[str, Any]:
    """Give an element of DICOM JSON."""
    return {"vr": vr, "Value": [value]} if value else {"vr": vr}


async def fill(connection: asyncpg.Connection[Any], count: int, first: int = 1) -> None:
    """Copy `count` studies into the index, from id `first`; then let the planner look at the tables."""
    volume = await _volume(connection)
    for start in range(first, first + count, BATCH):
        rows = [study(number) for number in range(start, min(start + BATCH, first + count))]
        series = [(study, one) for study in rows for one in series_of(study)]
        await _copy(connection, "study", rows)
        await _copy(connection, "series", [one for _, one in series])
        await _copy(connection, "instance", [object_of(*both, volume) for both in series])
    for table in ("study", "series", "instance"):
        await connection.execute(
            f"select setval(pg_get_serial_sequence('core.{table}', 'id'), max(id)) from core.{table}"
        )
        await connection.execute(f"vacuum analyze core.{table}")


async def _volume(connection: asyncpg.Connection[Any]) -> int:
    statement = (
        "insert into core.volume (path) values ('/nowhere') on conflict (path) do update set path = excluded.path"
    )
    return int(await connection.fetchval(f"{statement} returning id"))


async def _copy(connection: asyncpg.Connection[Any], table: str, rows: list[Row]) -> None:
    records = [tuple(row.values()) for row in rows]
    await connection.copy_records_to_table(table, schema_name="core", columns=list(rows[0]), records=records)


async def main(url: str, count: int) -> None:
    """Fill the database at `url`."""
    connection = await asyncpg.connect(url)
    try:
        await fill(connection, count)
    finally:
        await connection.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
