"""The log: three levels, fields, one line to a record."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from charrua_core import logs

log = logging.getLogger("charrua_core.tests")


@pytest.fixture(autouse=True)
def log_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    for handler in root.handlers:
        if handler not in handlers:
            handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize(("level", "told"), [(0, ["error"]), (1, ["info", "error"]), (2, ["detail", "info", "error"])])
def test_each_level_tells_what_the_manual_says(level: int, told: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(level)
    log.debug("detail")
    log.info("info")
    log.error("error")
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[2] for line in lines] == told


def test_other_packages_tell_no_more_than_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(2)
    logging.getLogger("pynetdicom.acse").info("PatientName Doe^Jane")
    logging.getLogger("pynetdicom.acse").warning("no such context")
    told = capsys.readouterr().err
    assert "Doe" not in told
    assert "no such context" in told


def test_fields_stand_behind_the_message(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(1)
    log.info("stored", extra={"study": "1.2.3", "peer": "CT1"})
    assert "INFO    stored study=1.2.3 peer=CT1 [core.tests]" in capsys.readouterr().err


def test_what_a_peer_sends_makes_no_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(1)
    log.info("association by %s", "CT1\n2026-01-01 ERROR all is lost", extra={"peer": "\x1b[31mCT1\r\n"})
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_json_lines_carry_message_fields_and_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(1, as_json=True)
    try:
        raise ValueError("bad")
    except ValueError:
        log.exception("failed", extra={"peer": "CT1"})
    (line,) = capsys.readouterr().err.splitlines()
    told = json.loads(line)
    assert (told["message"], told["level"], told["peer"]) == ("failed", "ERROR", "CT1")
    assert "ValueError: bad" in told["traceback"]


def test_the_log_is_also_kept_in_a_folder_for_its_owner_alone(tmp_path: Path) -> None:
    logs.configure(1, folder=tmp_path / "logs")
    log.info("kept")
    assert "kept" in (tmp_path / "logs" / "charrua.log").read_text()
    assert (tmp_path / "logs").stat().st_mode & 0o077 == 0


def test_no_field_takes_the_place_of_what_each_line_has() -> None:
    record = logging.makeLogRecord(
        {"levelname": "INFO", "msg": "stored", "level": "none", "at": "never", "module": "x"}
    )
    told = json.loads(logs.JsonLines().format(record))
    assert (told["level"], told["message"]) == ("INFO", "stored")
    assert told["at"] != "never"
