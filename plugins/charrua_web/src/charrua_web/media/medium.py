"""All files of a medium, one after another: viewer, DICOM files, pictures, and at the end what tells of them all."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime
from functools import lru_cache
from importlib import resources
from typing import Any

import orjson
from pydicom.uid import UID

from charrua_core.archive.datasets.dicomdir import Filed, dicomdir
from charrua_core.web import Entry, Request
from charrua_web.dicomweb import wado_trail
from charrua_web.dicomweb.wado_files import files
from charrua_web.dicomweb.wado_forms import Wanted
from charrua_web.dicomweb.wado_selection import Selection
from charrua_web.media.choices import profile_of
from charrua_web.media.pictures import FOLDER, Pictures
from charrua_web.media.told import Told, told_of
from charrua_web.media.viewer_words import viewer_words

VIEWER = (("INDEX.HTM", "INDEX.HTM"), ("VIEWER.JS", f"{FOLDER}/VIEWER.JS"), ("VIEWER.CSS", f"{FOLDER}/VIEWER.CSS"))
"""File of this package → its name on the medium."""
DATA = f"{FOLDER}/DATA.JS"


class Medium:
    """The files of one medium; take `entries` once."""

    def __init__(self, request: Request, chosen: Selection, wanted: Wanted) -> None:
        self._request = request
        self._chosen = chosen
        self._wanted = wanted
        self._filed: list[Filed] = []
        self._told: dict[int, Told] = {}

    async def entries(self) -> AsyncGenerator[Entry, None]:
        """Give each file; its pieces last until the next is asked for. Raises as `wado_files.files` does."""
        self._told = await told_of(self._request, self._chosen)
        for name, content in _viewer_files():
            yield Entry(name, [content])
        async with aclosing(self._objects()) as objects:
            async for entry in objects:
                yield entry
        app = self._request.app
        pictures = Pictures(app, self._chosen, self._told, app.settings["media_most_pictures"])
        async with aclosing(pictures.entries()) as several:
            async for entry in several:
                yield entry
        language, words = viewer_words(self._request.headers)
        told = {"language": language, "words": words, "every": pictures.every}
        yield Entry(DATA, [data_script(list(self._told.values()), told)])
        yield Entry("README.TXT", [readme(self._filed)])
        yield Entry("DICOMDIR", [dicomdir(self._filed)])

    async def _objects(self) -> AsyncGenerator[Entry, None]:
        leaving = files(self._request, self._chosen, self._wanted, wado_trail.exported)
        async with aclosing(leaving) as several:
            async for record, outgoing, pieces in several:
                told = self._told.get(record.instance_id)
                if told is None:  # it came after the medium was begun
                    continue
                yield Entry("/".join(told.file_id), pieces)
                uids = (outgoing.sop_class_uid, outgoing.sop_instance_uid, outgoing.transfer_syntax_uid)
                self._filed.append(Filed(told.file_id, *uids, told.attributes))


@lru_cache(maxsize=1)
def _viewer_files() -> Sequence[tuple[str, bytes]]:
    folder = resources.files("charrua_web") / "media" / "viewer"
    return [(name, (folder / file).read_bytes()) for file, name in VIEWER]


def readme(filed: Sequence[Filed]) -> bytes:
    """Give the file that says what is on the medium: no word of whose it is (PS3.11 D.3.3)."""
    used = Counter(file.transfer_syntax_uid for file in filed)
    profile = profile_of(used)
    lines = [
        "DICOM images and documents",
        "",
        f"Made on {datetime.now():%Y-%m-%d} by Charrua.",
        "",
        "To look at them in a browser: open INDEX.HTM. It needs no network and",
        "installs nothing. Its pictures are made for looking, not for diagnosis.",
        "",
        "For diagnosis: have a DICOM viewer open this medium by the file DICOMDIR.",
        f"It lists {len(filed)} files, which are in the folder DICOM:",
        *(f"  {number} in {UID(uid).name}" for uid, number in used.most_common()),
        *(["", "This medium keeps the application profiles of PS3.11", f"  {profile}"] if profile else []),
        "",
        "These are health data of a person. If you have found this medium,",
        "please give it back to the institution that made it.",
    ]
    return "\r\n".join([*lines, ""]).encode("ascii", "replace")


def data_script(told: Sequence[Told], more: Mapping[str, Any]) -> bytes:
    """Give the script that tells the viewer what there is: a page opened from a file may load scripts, and nothing else."""
    data = {**more, "patients": [_patient(several) for several in _grouped(told, "00100020")]}
    return b"window.CHARRUA = " + orjson.dumps(data) + b";\n"


def _patient(told: Sequence[Told]) -> dict[str, Any]:
    one = told[0]
    return {
        "name": one.text("00100010"),
        "id": one.text("00100020"),
        "born": one.text("00100030"),
        "sex": one.text("00100040"),
        "studies": [_study(several) for several in _grouped(told, "0020000D")],
    }


def _study(told: Sequence[Told]) -> dict[str, Any]:
    one = told[0]
    series = sorted(_grouped(told, "0020000E"), key=lambda several: several[0].number("00200011"))
    return {
        "date": one.text("00080020"),
        "time": one.text("00080030"),
        "description": one.text("00081030"),
        "accession": one.text("00080050"),
        "series": [_series(several) for several in series],
    }


def _series(told: Sequence[Told]) -> dict[str, Any]:
    one = told[0]
    objects = sorted(told, key=lambda one: (one.number("00200013"), one.file_id))
    return {
        "number": one.text("00200011"),
        "modality": one.text("00080060"),
        "description": one.text("0008103E"),
        "objects": [_object(one) for one in objects],
    }


def _object(one: Told) -> dict[str, Any]:
    told = {
        "number": one.text("00200013"),
        "file": "/".join(one.file_id),
        "frames": one.frames,
        "pictures": sorted(one.pictures),
        "document": one.document,
        "video": one.video,
        "title": one.text("00420010"),
        "note": one.note,
    }
    return {name: value for name, value in told.items() if value}


def _grouped(told: Sequence[Told], tag: str) -> list[list[Told]]:
    groups: dict[str, list[Told]] = {}
    for one in told:
        groups.setdefault(one.text(tag), []).append(one)
    return list(groups.values())
