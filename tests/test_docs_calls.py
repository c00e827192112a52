"""Every call by curl in the documents does what they say: each page's blocks run in their order against an archive."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from pathlib import Path

import pytest

from charrua_core.testing.files import PDF
from charrua_core.testing.objects import a_study, part10
from charrua_core.testing.worklist import a_workitem

ROOT = Path(__file__).parents[1]
_BLOCK = re.compile(r"^```(?:sh|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_PROMPT = re.compile(r"^[$>] ?", re.MULTILINE)
_GIVEN = re.compile(r"^(CHARRUA|STUDY)=(http:|[0-9]).*\n", re.MULTILINE)
"""What stands for the reader's own archive and study."""
HEAD = """
set -eu
shopt -s expand_aliases
curl() { command curl --fail-with-body --silent --show-error "$@"; }
"""
PASSWORD = "an unlikely password"


def calls_of(page: Path) -> str:
    """The blocks of a page that call the web server, as one script."""
    blocks = [_PROMPT.sub("", block) for block in _BLOCK.findall(page.read_text())]
    return _GIVEN.sub(
        "", "\n".join(block for block in blocks if re.search(r"^(curl|dicomweb|alias dicomweb)\b", block, re.M))
    )


PAGES = [page for page in sorted((ROOT / "docs").glob("*.md")) if calls_of(page)]


def test_the_pages_of_the_services_have_calls() -> None:
    assert {"actions.md", "dicomweb.md", "ups.md", "web.md"} <= {page.name for page in PAGES}


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
async def test_the_calls_of_a_page_succeed(archive, modality, browse, tmp_path, page: Path) -> None:
    folder = tmp_path / "reader"
    folder.mkdir()
    (folder / "examples").symlink_to(ROOT / "examples")
    study = a_study(images=2, AccessionNumber="A4711", NumberOfFrames=2, PixelData=bytes(range(256)))
    await modality.give(study)
    (folder / "letter.pdf").write_bytes(PDF)
    (folder / "image.dcm").write_bytes(part10(a_study()[0]))
    await archive.run("user", "add", "rosa", "--role", "Referring", "--password-stdin", given=f"{PASSWORD}\n")
    admin = await browse("Admin")
    other = await admin.post("/dicom-web/workitems?1.2.840.99.3", json=a_workitem().to_json_dict())
    assert other.status_code == 201
    names = {
        "STUDY": study[0].StudyInstanceUID,
        "SERIES": study[0].SeriesInstanceUID,
        "INSTANCE": study[0].SOPInstanceUID,
        "ACCESSION": study[0].AccessionNumber,
    }
    known = {"CHARRUA": archive.url, "TOKEN": await archive.token("Admin"), "PASSWORD": PASSWORD, **names}
    process = await asyncio.create_subprocess_exec(
        *("bash", "-xc", HEAD + calls_of(page)),
        cwd=folder,
        env={"PATH": os.environ["PATH"], **known},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    told, _ = await process.communicate()
    assert process.returncode == 0, told.decode(errors="replace")
