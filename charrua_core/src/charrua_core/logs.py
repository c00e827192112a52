"""The log: levels 0, 1 and 2 of the manual, fields beside the message, never a patient's data.

Modules log `log.info("stored", extra={"study": uid, "peer": aet})`; fields are written behind the message or as JSON.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path

LEVELS = {0: logging.ERROR, 1: logging.INFO, 2: logging.DEBUG}
"""0 errors only, 1 associations and operations as well, 2 every detail (manual, Appendix 2, LogLevel)."""

# Of other packages warnings are enough, and some of them would write patients' names below that: pynetdicom logs whole
# C-FIND identifiers.
_QUIET = ("asyncio", "alembic", "sqlalchemy", "pydicom", "pynetdicom", "hypercorn", "fasteners")
_OWN_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_MEGABYTE = 1 << 20


def configure(level: int, *, folder: Path | None = None, as_json: bool = False) -> None:
    """Send the log to standard error, and to `charrua.log` in the folder if one is given."""
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handlers.append(RotatingFileHandler(folder / "charrua.log", maxBytes=10 * _MEGABYTE, backupCount=9, delay=True))
    for handler in handlers:
        handler.setFormatter(JsonLines() if as_json else Lines())
    logging.basicConfig(handlers=handlers, force=True)
    set_level(level)


def set_level(level: int) -> None:
    """Change the level (0, 1, 2) while the process runs."""
    logging.getLogger().setLevel(LEVELS[level])
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.ERROR if level == 0 else logging.WARNING)


def fields(record: logging.LogRecord) -> dict[str, object]:
    """Give what was passed as `extra`."""
    return {name: value for name, value in vars(record).items() if name not in _OWN_FIELDS}


def _when(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Lines(logging.Formatter):
    """One line for a person: time, level, message, fields, module; a traceback follows on lines of its own."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the line."""
        # A line break in what a peer sent must not make a line of its own.
        shown = [
            _one_line(record.getMessage()),
            *(f"{name}={_one_line(value)}" for name, value in fields(record).items()),
        ]
        line = f"{_when(record)} {record.levelname:<7} {' '.join(shown)} [{record.name.removeprefix('charrua_')}]"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the object."""
        told: dict[str, object] = {
            "at": _when(record),
            "level": record.levelname,
            "message": record.getMessage(),
            "module": record.name,
        }
        told |= {name: value for name, value in fields(record).items() if name not in told}
        if record.exc_info:
            told["traceback"] = self.formatException(record.exc_info)
        return json.dumps(told, default=str, ensure_ascii=False)


def _one_line(value: object) -> str:
    text = str(value)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
