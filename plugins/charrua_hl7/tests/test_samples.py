"""Messages of other systems, as the world sends them: each is answered and kept, and what orders something is entered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from charrua_core.testing import outside
from charrua_hl7.intake.framing import framed
from charrua_hl7.intake.splitting import split
from charrua_hl7.message import Message
from charrua_hl7.testing import code

FOLDER = outside.DATA / "hl7"
ANSWERS = {
    "cosyte-malformed-empty-input.hl7": "AR",
    "cosyte-malformed-no-msh-segment.hl7": "AR",
    "cosyte-vendor-quirks-mllp-framing-stripped.hl7": "AA",
}
ORDERS = ("ORM", "OMI", "OMG", "SIU")

pytestmark = outside.with_data


async def test_every_message_of_other_systems_is_answered_and_kept(listen: Any) -> None:
    listening = await listen()
    told: dict[Path, list[Message]] = {}
    for path in sorted([*FOLDER.rglob("*.hl7"), *FOLDER.rglob("*.bin")]):
        async with listening.sender() as his:
            await his.raw(framed(path.read_bytes()))
            answers = [await his.answer() for _ in range(_answers_to(path.read_bytes()))]
        told[path] = [Message.parse(part) for answer in answers for part in split(answer).messages]
    kept = {row.content: row for row in await listening.rows()}
    for path, answers in told.items():
        for answer, content in zip(answers, split(path.read_bytes()).messages, strict=True):
            row = kept[content.lstrip(b"\x0b").partition(b"\x1c")[0]]  # one is framed already
            assert code(answer)[1] == row.acknowledgement[1], path.name
            assert row.acknowledgement == ANSWERS.get(path.name, row.acknowledgement), path.name
            if row.message_type.startswith(ORDERS) and path.suffix == ".hl7":
                assert (row.acknowledgement, "entr" in row.sentence) == ("AA", True), (path.name, row.sentence)
    assert len(await listening.entries()) > 10


def _answers_to(content: bytes) -> int:
    """A batch has one answer, several messages have one each."""
    parts = split(content)
    return 1 if parts.is_batch else len(parts.messages)
