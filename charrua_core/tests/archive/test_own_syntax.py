"""Objects are put into the archive's own transfer syntax after they came, proven equal, and stay the objects that they were."""

from __future__ import annotations

import asyncio
import copy

import numpy
import pytest
from pydicom import dcmread
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence

from charrua_core.archive import remove
from charrua_core.archive.check import strays
from charrua_core.archive.check.check import check
from charrua_core.archive.datasets.part10 import read_file_meta
from charrua_core.archive.index.dump import dump
from charrua_core.archive.index.replace_file import discard
from charrua_core.archive.outgoing import open_object
from charrua_core.archive.regenerate import regenerate
from charrua_core.archive.search import Query, instances
from charrua_core.errors import CommitUnknown, StorageFailed
from charrua_core.imaging import archiving
from charrua_core.imaging.archiving import put_into_own_syntax
from charrua_core.imaging.codecs import decode_frame, syntaxes
from charrua_core.imaging.subject import Subject
from charrua_core.testing.objects import a_study, an_object
from charrua_core.types import SYSTEM, FileRange, Level

EXPLICIT, IMPLICIT = syntaxes.EXPLICIT_LITTLE_ENDIAN, syntaxes.IMPLICIT_LITTLE_ENDIAN
SR = "1.2.840.10008.5.1.4.1.1.88.11"


class OwnSyntax:
    """An archive with a transfer syntax of its own, which it applies when it is asked to."""

    def __init__(self, intake) -> None:
        self.intake, self.app = intake, intake.app

    async def store(self, *images) -> None:
        for image in images:
            assert (await self.intake(image)).status == "stored"

    async def apply(self) -> None:
        rows = await self.intake.rows("instance")
        await put_into_own_syntax(self.app, [[row["sop_instance_uid"], row["version"]] for row in rows])

    async def discard(self) -> None:
        """The files that were replaced are removed, as an hour later."""
        for job in await self.app.jobs.list(kind="discard"):
            await discard(self.app, job.payload)
            await self.app.jobs.remove(job.id)

    async def dumped(self) -> list[bytes]:
        return [line async for line in dump(self.app.db)]

    async def findings(self) -> list[tuple[str, str]]:
        return [(one.kind, one.path) for one in (await check(self.app, grace_s=0)).findings]

    async def syntaxes(self) -> list[str]:
        return [row["transfer_syntax_uid"] for row in await self.intake.rows("instance")]


@pytest.fixture
def own_syntax(intake_of):
    """A function that opens an archive with this transfer syntax."""

    async def own_syntax(name: str) -> OwnSyntax:
        return OwnSyntax(await intake_of(settings={"archive_transfer_syntax": name, "imaging_workers": 1}))

    return own_syntax


def an_image(**attributes):
    """A CT image whose pixels compress."""
    pixels = (numpy.arange(64 * 64, dtype="uint16") % 4000).tobytes()
    return an_object(**{"Rows": 64, "Columns": 64, "PixelData": pixels, **attributes})


def compressed(syntax: str, **attributes):
    image = an_image(transfer_syntax=syntax, **attributes)
    image.PixelData = encapsulate([b"\xff\xd8" + image.PixelData[:100]])
    image["PixelData"].VR = "OB"
    return image


NAMES = {
    "explicit little endian": EXPLICIT,
    "implicit little endian": IMPLICIT,
    "jpeg lossless": syntaxes.JPEG_LOSSLESS_SV1,
    "jpeg 2000 lossless": syntaxes.JPEG_2000_LOSSLESS,
    "htj2k lossless": syntaxes.HTJ2K_LOSSLESS,
    "jpeg-ls lossless": syntaxes.JPEG_LS,
}


@pytest.mark.parametrize("name", NAMES)
async def test_the_file_is_replaced_and_the_object_is_what_it_was(own_syntax, name):
    archive = await own_syntax(name)
    image = an_image(transfer_syntax=IMPLICIT if name == "explicit little endian" else EXPLICIT)
    await archive.store(image)
    [before] = await archive.intake.rows("instance")
    await archive.apply()
    [row] = await archive.intake.rows("instance")
    assert row["transfer_syntax_uid"] == NAMES[name]
    assert (row["received_syntax_uid"], row["received_digest"]) == (
        before["transfer_syntax_uid"],
        before["dataset_digest"],
    )
    new = archive.intake.root / row["path"]
    assert dcmread(new).file_meta.TransferSyntaxUID == NAMES[name]
    whole = FileRange(new, row["dataset_offset"], row["size_bytes"] - row["dataset_offset"])
    with Subject([whole], NAMES[name]) as subject:
        assert numpy.array_equal(decode_frame(subject.frame(0).read(), subject.format).pixels, image.pixel_array)
    assert row["size_bytes"] == (archive.intake.root / row["path"]).stat().st_size
    assert [one["size_bytes"] for one in await archive.intake.rows("study")] == [row["size_bytes"]]
    assert [one["size_bytes"] for one in await archive.intake.rows("series")] == [row["size_bytes"]]


async def test_the_old_file_stays_while_somebody_may_read_it_and_then_goes(own_syntax):
    archive = await own_syntax("jpeg-ls lossless")
    await archive.store(an_image())
    [old] = archive.intake.files()
    [record] = [one async for one in instances(archive.app, Query(Level.STUDY), SYSTEM)]
    await archive.apply()
    [segment] = (await open_object(archive.app, record)).segments
    assert isinstance(segment, FileRange)
    assert segment.path == old
    assert old.exists()
    assert await archive.findings() == []
    await archive.discard()
    assert not old.exists()
    assert len(archive.intake.files()) == 1
    assert await archive.findings() == []


async def test_applying_it_again_changes_nothing(own_syntax):
    archive = await own_syntax("htj2k lossless")
    await archive.store(*a_study(images=2))
    await archive.apply()
    dumped = await archive.dumped()
    await archive.apply()
    await asyncio.gather(archive.apply(), archive.apply())
    assert await archive.dumped() == dumped


async def test_the_same_object_again_is_a_duplicate_as_it_came_and_as_it_is_now(own_syntax):
    archive = await own_syntax("jpeg lossless")
    image = an_image()
    await archive.store(image)
    await archive.apply()
    await archive.discard()
    [file] = archive.intake.files()
    assert (await archive.intake(image)).status == "duplicate"
    assert (await archive.intake(dcmread(file))).status == "duplicate"
    other = copy.deepcopy(image)
    other.PatientName = "Corrected^Name"
    assert (await archive.intake(other)).status == "stored"
    assert len(await archive.intake.rows("instance")) == 2


async def discarded(archive, _images):
    await archive.discard()


async def deleted_and_sent_again(archive, images):
    await remove.delete(archive.app, SYSTEM, Level.STUDY, str(images[0].StudyInstanceUID))
    await archive.store(*images)
    await archive.apply()


@pytest.mark.parametrize("then", [discarded, deleted_and_sent_again])
async def test_the_index_built_from_the_files_alone_is_the_same(own_syntax, then):
    archive = await own_syntax("jpeg-ls lossless")
    images = a_study(images=2)
    await archive.store(*images)
    await archive.apply()
    await then(archive, images)
    before = await archive.dumped()
    await archive.intake.run("TRUNCATE core.study, core.series, core.instance, core.edit")
    await regenerate.regenerate(archive.app)
    assert await archive.dumped() == before


async def test_of_what_a_crash_left_the_index_takes_the_file_that_was_made_last(own_syntax, monkeypatch):
    archive = await own_syntax("jpeg-ls lossless")
    await archive.store(an_image())
    with monkeypatch.context() as crash:
        crash.setattr(archiving, "replace_file", _lost)
        with pytest.raises(CommitUnknown):
            await archive.apply()
    await archive.apply()
    assert len(archive.intake.files()) == 3
    before = await archive.dumped()
    await archive.intake.run("TRUNCATE core.study, core.series, core.instance, core.edit")
    done = await regenerate.regenerate(archive.app)
    assert await archive.dumped() == before
    assert len(done.duplicates) == 2


async def _lost(*_):
    raise CommitUnknown


async def test_a_replaced_file_that_was_forgotten_is_a_stray_and_no_object_of_its_own(own_syntax):
    archive = await own_syntax("jpeg-ls lossless")
    await archive.store(an_image())
    [old] = archive.intake.files()
    await archive.apply()
    await archive.intake.run("DELETE FROM core.job")
    done = await check(archive.app, grace_s=0)
    assert [(one.kind, archive.intake.root / one.path) for one in done.findings] == [("stray", old)]
    assert await strays.adopt_strays(archive.app, done.findings) == []
    assert await strays.remove_strays(archive.app, done.findings, age_s=0) == done.findings
    assert await archive.findings() == []


async def test_the_old_file_stays_when_the_new_one_is_gone(own_syntax):
    archive = await own_syntax("jpeg-ls lossless")
    await archive.store(an_image())
    [old] = archive.intake.files()
    await archive.apply()
    [row] = await archive.intake.rows("instance")
    (archive.intake.root / row["path"]).unlink()
    with pytest.raises(StorageFailed, match="the file that replaced this one"):
        await archive.discard()
    assert old.exists()


async def test_the_file_that_the_index_speaks_of_is_never_discarded(own_syntax):
    archive = await own_syntax("jpeg-ls lossless")
    await archive.store(an_image())
    [old] = archive.intake.files()
    await archive.apply()
    await archive.intake.run("UPDATE core.instance SET path = replace(path, '-2.dcm', '.dcm')")
    await archive.discard()
    assert old.exists()


def signed():
    image = an_image()
    image.DigitalSignaturesSequence = Sequence([an_object(PixelData=None)])
    del image.DigitalSignaturesSequence[0].file_meta
    return image


LEFT = {
    "lossy": ("explicit little endian", compressed(syntaxes.JPEG_BASELINE)),
    "compressed already": ("jpeg-ls lossless", compressed(syntaxes.JPEG_LOSSLESS_SV1)),
    "damaged pixels": ("explicit little endian", compressed(syntaxes.JPEG_LOSSLESS_SV1)),
    "no pixels": ("jpeg 2000 lossless", an_object(SOPClassUID=SR, PixelData=None, Rows=None, BitsAllocated=None)),
    "single bits": ("jpeg lossless", an_image(BitsAllocated=1, BitsStored=1, HighBit=0)),
    "signed": ("jpeg-ls lossless", signed()),
    "bits in use beside the pixels": ("jpeg-ls lossless", an_image(PixelData=b"\0\xf0" * 4096)),
    "a video": ("explicit little endian", compressed("1.2.840.10008.1.2.4.102")),
}


@pytest.mark.parametrize("why", LEFT)
async def test_what_would_lose_something_stays_as_it_was_received(own_syntax, why):
    name, image = LEFT[why]
    archive = await own_syntax(name)
    await archive.store(image)
    before = await archive.dumped()
    await archive.apply()
    assert await archive.dumped() == before
    assert len(archive.intake.files()) == 1
    assert archive.intake.spooled() == []


async def test_what_came_losslessly_compressed_is_decompressed_where_that_is_asked(own_syntax):
    archive = await own_syntax("explicit little endian")
    image = an_image()
    image.compress(syntaxes.RLE, generate_instance_uid=False)
    await archive.store(image)
    await archive.apply()
    assert await archive.syntaxes() == [EXPLICIT]


async def test_an_object_that_was_deleted_meanwhile_is_let_be(own_syntax):
    archive = await own_syntax("jpeg-ls lossless")
    image = an_image()
    await archive.store(image)
    record = await remove.delete(archive.app, SYSTEM, Level.STUDY, str(image.StudyInstanceUID))
    await archive.apply()
    assert await archive.syntaxes() == [EXPLICIT]
    await remove.purge(archive.app, record.id)
    await archive.apply()
    assert archive.intake.files() == []


async def test_the_file_tells_of_its_arrival_and_of_how_it_came(own_syntax):
    archive = await own_syntax("jpeg-ls lossless")
    await archive.store(an_image())
    [old] = archive.intake.files()
    await archive.apply()
    [row] = await archive.intake.rows("instance")
    then, now = read_file_meta(old).arrival, read_file_meta(archive.intake.root / row["path"]).arrival
    assert (now.arrival_id, now.received_at, now.origin) == (then.arrival_id, then.received_at, then.origin)
    assert (now.as_received.transfer_syntax_uid, now.as_received.dataset_digest) == (EXPLICIT, row["received_digest"])
