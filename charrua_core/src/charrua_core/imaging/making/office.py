"""Texts made into PDF by LibreOffice, where it is installed: in a process of its own that can be killed, with limits.

A text may have macros, and links to files and pages elsewhere: the process runs with a profile that follows none of them.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
import sys
from contextlib import suppress
from pathlib import Path

from charrua_core.errors import CharruaError, DocumentUnreadable, ImagingBusy, ImagingTimeout
from charrua_core.imaging.making.kinds import Kind

log = logging.getLogger(__name__)

PROGRAMS = ("soffice", "libreoffice")
MOST_AT_ONCE = 2
_MEMORY_BYTES = 4 << 30
_FILE_BYTES = 512 << 20
_LIMITED = """
import os, sys
try:
    import resource
    for kind, most in ((resource.RLIMIT_AS, {memory}), (resource.RLIMIT_FSIZE, {file}), (resource.RLIMIT_CPU, {cpu}),
                       (resource.RLIMIT_CORE, 0)):
        resource.setrlimit(kind, (most, most))
except (ImportError, ValueError):
    pass
os.execv(sys.argv[1], sys.argv[1:])
"""
_PROFILE = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry">
{items}
</oor:items>
"""
_ITEM = '<item oor:path="{path}"><prop oor:name="{name}" oor:op="fuse"><value>{value}</value></prop></item>'
_SECURITY = "/org.openoffice.Office.Common/Security/Scripting"
_SAFE = (
    (_SECURITY, "MacroSecurityLevel", "3"),
    (_SECURITY, "DisableMacrosExecution", "true"),
    (_SECURITY, "DisableActiveContent", "true"),
    (_SECURITY, "DisableOLEAutomation", "true"),
    (_SECURITY, "BlockUntrustedRefererLinks", "true"),
    ("/org.openoffice.Office.Writer/Content/Update", "Link", "0"),
    ("/org.openoffice.Setup/Product", "ooSetupLastVersion", "99.0"),
)
_running = 0


class OfficeMissing(CharruaError):
    """Texts are attached as PDF, which LibreOffice makes: it is not installed here. Save the text as PDF and attach that."""

    http_status = 415


def office_program(named: str = "") -> str:
    """The path of LibreOffice: the one that is named, else what is found; raises OfficeMissing."""
    found = shutil.which(named) if named else next(filter(None, map(shutil.which, PROGRAMS)), None)
    if found is None:
        raise OfficeMissing
    return found


async def to_pdf(source: Path, kind: Kind, folder: Path, *, program: str, timeout_s: float) -> Path:
    """Make a PDF of a text; `folder` is empty, private, and removed by the caller with what is in it.

    Raises ImagingTimeout, ImagingBusy, and DocumentUnreadable where nothing comes of it.
    """
    global _running
    if _running >= MOST_AT_ONCE:
        raise ImagingBusy("other texts are being made into PDF: try again in a minute")
    _running += 1
    try:
        return await _convert(source, kind, folder, program, timeout_s)
    finally:
        _running -= 1


async def _convert(source: Path, kind: Kind, folder: Path, program: str, timeout_s: float) -> Path:
    text, profile = folder / f"document.{kind}", folder / "profile"
    await asyncio.to_thread(_prepare, source, text, profile)
    command = [
        *_limited(program, timeout_s),
        *("--headless", "--norestore", "--nolockcheck", "--nodefault", "--nofirststartwizard"),
        f"-env:UserInstallation={profile.as_uri()}",
        *("--convert-to", "pdf", "--outdir", os.fspath(folder), os.fspath(text)),
    ]
    status = await _run(command, folder, timeout_s)
    made = folder / "document.pdf"
    if status != 0 or not made.is_file() or made.stat().st_size == 0:
        log.warning("a text became no PDF", extra={"action": "office", "status": status, "kind": kind})
        raise DocumentUnreadable("LibreOffice made no PDF of the text: it may be damaged or protected by a password")
    return made


def _prepare(source: Path, text: Path, profile: Path) -> None:
    """Give the text a name of our own, and LibreOffice a profile that follows no macro and no link."""
    shutil.copyfile(source, text)
    (profile / "user").mkdir(parents=True)
    items = "\n".join(_ITEM.format(path=path, name=name, value=value) for path, name, value in _SAFE)
    (profile / "user" / "registrymodifications.xcu").write_text(_PROFILE.format(items=items), encoding="utf_8")


def _limited(program: str, timeout_s: float) -> list[str]:
    if os.name == "nt":
        return [program]
    limits = _LIMITED.format(memory=_MEMORY_BYTES, file=_FILE_BYTES, cpu=int(2 * timeout_s) + 1)
    return [sys.executable, "-I", "-c", limits, program]


async def _run(command: list[str], folder: Path, timeout_s: float) -> int:
    """Run it without our environment; kill it, and what it has started, after the time or when the caller goes away."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "SYSTEMROOT", "WINDIR")}
    environment = {**kept, "HOME": os.fspath(folder), "TMPDIR": os.fspath(folder), "LANG": "C.UTF-8"}
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=os.name != "nt",
    )
    try:
        async with asyncio.timeout(timeout_s):
            return await process.wait()
    except TimeoutError as error:
        raise ImagingTimeout(f"LibreOffice took longer than {timeout_s:.0f} s for the text") from error
    finally:
        await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError, PermissionError):
        if os.name == "nt":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    if process.returncode is None:
        await process.wait()
