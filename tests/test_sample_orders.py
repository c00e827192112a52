"""Orders of other systems' test data, sent as they would, are seen by DCMTK's `findscu` with their attributes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pydicom
import pytest

from charrua_core.testing.outside import DATA, dcmtk, with_data, with_dcmtk
from charrua_core.types import Peer

ORDERED = {
    # file: patient, ID, accession number, modality, start
    "conquest-sample": ("Zijp^Lambert", "1", "2005-9999", "CT", "20051230"),
    "cosyte-canonical-orm-o01": ("Smith^Jane^B", "MRN-ORM-001", "FLR-ORM-001", "CR", "20260419"),
    "cosyte-vendor-shapes-philips-orm-o01": ("Doe^John", "MRN-PH-001", "AC-PH-001", "CT", "20250326"),
    "dcm4che-OMG_O19-GeneralClinicalOrder-Eyecare": ("Smith^Lucy^Mark", "PID_1", "AccessionNumber", "CT", "20000816"),
    "dcm4che-OMI_O23-ImagingOrder": ("Smith^Lucy^Mark", "PID_1", "AccessionNumber", "CT", "20000816"),
    "dcm4che-ORM_O01-GeneralOrder": ("Smith^Lucy^Mark", "PID_1", "AccessionNumber", "CT", "20000816"),
    "dotnetcore-sample-orm": ("Jane^Doe^T", "42311", "11777-60", "CR", "20170331"),
    "hapi-orm-2.2": ("RADIOLOGY^OUTPAT^ONE", "N00804", "0000000517", "CR", "19940426"),
    "pacs_bridge-orm_o01": ("DOE^JOHN^WILLIAM", "12345", "ACC001", "CR", "20240115"),
    "pacs_bridge-orm-mwl-zds": ("DOE^JOHN^ANDREW", "12345", "ACC001", "CT", "20231115"),
    "dcm4che-SIU_S12-NewAppointmentBooking": ("Smith^Lucy^Mark", "PID_1", "-38521669", "CR", "20201023"),
    "pacs_bridge-siu-s12": ("DOE^JOHN^ANDREW", "12345", "ORD001", "CT", "20231115"),
}
"""What each says, read by hand; a modality that none names is the default, CR."""
KEYS = ("PatientName", "PatientID", "AccessionNumber")
STEP = ("Modality", "ScheduledProcedureStepStartDate", "ScheduledProcedureStepStatus")


async def sent(archive: Any, name: str) -> bytes:
    reader, writer = await asyncio.open_connection(*archive.hl7)
    writer.write(b"\x0b" + (DATA / "hl7" / f"{name}.hl7").read_bytes() + b"\x1c\r")
    answer = await asyncio.wait_for(reader.readuntil(b"\x1c\r"), 20)
    writer.close()
    return answer


@with_data
@with_dcmtk
@pytest.mark.settings(worklist_timeout="0")
async def test_each_order_is_seen_by_findscu(archive: Any, tmp_path: Path) -> None:
    await archive.add_peer(Peer("FINDSCU", "127.0.0.1", 104))
    for name, told in ORDERED.items():
        assert b"A|" in await sent(archive, name), name
        folder = tmp_path / name
        folder.mkdir()
        asked = [f"{key}{'=' + told[number] if number else ''}" for number, key in enumerate(KEYS)]
        step = [f"ScheduledProcedureStepSequence[0].{key}" for key in STEP]
        keys = [part for key in (*asked, *step) for part in ("-k", key)]
        called = ("-aec", archive.peer.aet, archive.peer.host, archive.port)
        status, said = await dcmtk("findscu", "-W", "-X", "-od", folder, *keys, *called)
        assert status == 0, said
        found = [pydicom.dcmread(path, force=True) for path in sorted(folder.glob("*.dcm"))]
        starts = [
            (
                str(one.PatientName),
                one.PatientID,
                one.AccessionNumber,
                item.Modality,
                item.ScheduledProcedureStepStartDate,
            )
            for one in found
            for item in one.ScheduledProcedureStepSequence
        ]
        assert told in starts, (name, starts)
