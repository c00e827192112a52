"""Every real file comes back over HTTP as it was stored, whole and frame by frame, whatever its transfer syntax."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import httpx

from charrua_core.archive.datasets.part10 import read_file_meta
from charrua_core.dicom import ProposedContext, associate
from charrua_core.errors import CharruaError
from charrua_core.imaging.codecs import decode_frame
from charrua_core.imaging.frames import read_frame
from charrua_core.testing.devices import Received
from charrua_core.testing.dicomweb import ANY, parts_of
from charrua_core.testing.images import as_stored
from charrua_core.testing.outside import DATA, with_data
from charrua_core.testing.running import Archive

pytestmark = [with_data]

STORED = "*/*; transfer-syntax=*"
OCTETS = "multipart/related; type=application/octet-stream"


class Sound:
    """A file that is sound: where it is to be found, and what of it is stored."""

    def __init__(self, row: dict[str, str]) -> None:
        self.path = DATA / row["path"]
        content = self.path.read_bytes()
        meta = read_file_meta(content)
        uid, sop_class = row["sop_instance_uid"], row["sop_class_uid"] or meta.sop_class_uid
        self.sent = Received(sop_class, uid, meta.transfer_syntax_uid, content[meta.dataset_offset :])
        self.url = f"/dicom-web/studies/{row['study_uid']}/series/{row['series_uid']}/instances/{uid}"


def sound() -> list[Sound]:
    """Two files of each SOP class in each transfer syntax, and all that are there for their transfer syntax."""
    with (DATA / "MANIFEST.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["state"] == "ok" and row["study_uid"] and row["series_uid"]]
    often = Counter(row["sop_instance_uid"] for row in rows)
    kinds: Counter[tuple[str, str]] = Counter()
    chosen = []
    for row in rows:
        kind = (row["sop_class_uid"], row["transfer_syntax_uid"])
        kinds[kind] += 1
        if often[row["sop_instance_uid"]] == 1 and (kinds[kind] <= 2 or row["path"].startswith("ts/")):
            chosen.append(Sound(row))
    return chosen


async def store(archive: Archive, files: Sequence[Sound]) -> None:
    kinds = dict.fromkeys((one.sent.sop_class_uid, one.sent.transfer_syntax_uid) for one in files)
    contexts = [ProposedContext(sop_class, (syntax,)) for sop_class, syntax in kinds]
    async with associate(archive.peer, contexts, calling_aet="MODALITY") as association:
        for file in files:
            sent = file.sent
            kind = (sent.sop_class_uid, sent.transfer_syntax_uid)
            assert (await association.store(kind, kind[0], sent.sop_instance_uid, [sent.data_set])).status == 0, (
                file.path
            )


async def test_every_kind_of_file_comes_back_as_it_was_stored(archive, browse) -> None:
    client, files = await browse(), sound()
    for start in range(0, len(files), 50):
        await store(archive, files[start : start + 50])
    frames = 0
    for file in files:
        ((head, content),) = parts_of(await client.get(file.url, headers={"Accept": ANY}))
        assert content.endswith(file.sent.data_set), file.path
        assert read_file_meta(content).transfer_syntax_uid == file.sent.transfer_syntax_uid
        assert len(content) - len(file.sent.data_set) == read_file_meta(content).dataset_offset
        assert head["Content-Type"].endswith(f"={file.sent.transfer_syntax_uid}")
        (told,) = (await client.get(f"{file.url}/metadata")).json()
        assert told["00080018"]["Value"] == [file.sent.sop_instance_uid]
        frames += await same_frames(client, file.url, file.path)
    assert frames > 80


async def same_frames(client: httpx.AsyncClient, url: str, path: Path) -> int:
    """How many frames were compared: the first and the last as stored."""
    try:
        image = as_stored(path)
        numbers = sorted({1, image.number_of_frames})
        stored = [await read_frame(image, number) for number in numbers]
    except CharruaError:
        return 0  # no image, or one that cannot be told apart by frame
    answer = await client.get(f"{url}/frames/{','.join(map(str, numbers))}", headers={"Accept": STORED})
    assert [content for _, content in parts_of(answer)] == stored, path
    uncompressed = await client.get(f"{url}/frames/1", headers={"Accept": OCTETS})
    if not image.native and image.pixel_format.bits_allocated > 1 and uncompressed.status_code == 200:
        ((_, content),) = parts_of(uncompressed)
        assert content == decode_frame(stored[0], image.pixel_format).pixels.tobytes(), path
    return len(numbers)
