"""`charrua destination`, on an archive that no server serves."""

from __future__ import annotations

import asyncio
import io

import pytest

from charrua_core.cli import main


@pytest.fixture
def charrua(environment, monkeypatch, capsys):
    """Run a command in this process; gives what it prints, AssertionError with what it says where it fails."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    async def charrua(*arguments, given=""):
        def run():
            monkeypatch.setattr("sys.stdin", io.StringIO(given))
            try:
                main(arguments)
            except SystemExit as end:
                return end.code
            return 0

        status = await asyncio.to_thread(run)
        out, err = capsys.readouterr()
        if status:
            raise AssertionError(out + err)
        return out

    return charrua


async def test_destinations_are_added_shown_tried_and_removed(charrua, tmp_path) -> None:
    assert "folder (needed)" in await charrua("destination", "kinds")
    (tmp_path / "out").mkdir()
    await charrua("destination", "add", "SHELF", "folder", f"folder={tmp_path / 'out'}", "--window", "22:00-06:00")
    secret = ("destination", "add", "WEB", "stow", "url=https://pacs.example/dicom-web", "token=-")
    await charrua(*secret, given="hush\n")
    told = await charrua("destination", "list")
    assert "22:00-06:00" in told
    assert "token=••••••" in told
    assert "hush" not in told
    assert "can be written" in await charrua("destination", "check", "SHELF")
    await charrua("destination", "add", "SHELF", "folder", "--disabled")  # its folder stays
    assert str(tmp_path / "out") in await charrua("destination", "list")
    await charrua("destination", "remove", "SHELF")
    assert "SHELF" not in await charrua("destination", "list")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("add", "A", "folder"), "needs folder"),
        (("add", "A", "folder", "nonsense"), "is not OPTION=VALUE"),
        (("add", "A", "tape"), "there is no kind tape"),
        (("check", "NOWHERE"), "no peer and no other destination"),
        (("remove", "NOWHERE"), "no destination"),
    ],
)
async def test_a_destination_that_will_not_do_is_told(charrua, arguments, why) -> None:
    with pytest.raises(AssertionError, match=why):
        await charrua("destination", *arguments)
