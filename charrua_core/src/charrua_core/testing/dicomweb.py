"""Answers of DICOMweb as tests look at them, and what they leave in the audit trail."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pydicom

ANY = 'multipart/related; type="application/dicom"; transfer-syntax=*'


def parts_of(answer: httpx.Response) -> list[tuple[dict[str, str], bytes]]:
    """Header fields and bytes of each part."""
    if answer.status_code not in (200, 206):
        raise AssertionError(f"{answer.status_code}: {answer.text}")
    boundary = answer.headers["content-type"].rpartition("boundary=")[2].encode()
    between = b"\r\n--" + boundary
    first, *parts, end = (b"\r\n" + answer.content).split(between)
    if (first, end) != (b"", b"--\r\n"):
        raise AssertionError(f"these are no parts: {answer.headers['content-type']}")
    split = [part.removeprefix(b"\r\n").partition(b"\r\n\r\n") for part in parts]
    return [(dict(line.split(": ", 1) for line in head.decode().split("\r\n")), content) for head, _, content in split]


def path_of(image: pydicom.Dataset, depth: int = 3) -> str:
    """The path of its study, its series (2) or itself (3)."""
    names = (
        ("studies", image.StudyInstanceUID),
        ("series", image.SeriesInstanceUID),
        ("instances", image.SOPInstanceUID),
    )
    return "".join(f"/{name}/{uid}" for name, uid in names[:depth])


async def trail_of(archive: Any, who: str, event: str) -> list[Any]:
    """The audit trail's records of an event that somebody caused, once they are there."""
    import asyncpg

    connection = await asyncpg.connect(archive.environment["CHARRUA_DATABASE_URL"])
    try:
        async with asyncio.timeout(10):
            while True:
                rows = await connection.fetch(
                    "SELECT * FROM core.audit WHERE who = $1 AND event = $2 ORDER BY id", who, event
                )
                if rows:
                    return list(rows)
                await asyncio.sleep(0.05)
    finally:
        await connection.close()
