"""Folders that destinations write to: every file appears whole under its name or not at all."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterable, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any

from charrua_core.errors import EditInvalid
from charrua_core.jobs import GiveUp
from charrua_core.sending import SendFailed
from charrua_core.settings import Setting
from charrua_core.types import Destination

if TYPE_CHECKING:
    from charrua_core.app import App

FOLDER = Setting("folder", Path, None, help="An existing folder: an absolute path.", since="0.1")


def check_folder(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give the options if their folder can be one; EditInvalid says why not."""
    folder = options["folder"]
    if folder is not None and not folder.is_absolute():
        raise EditInvalid(f"{folder} is no absolute path")
    return options


def folder_of(app: App, options: Mapping[str, Any]) -> Path:
    """Give the destination's folder. SendFailed where it is not there: it may be a share that is not mounted now."""
    folder: Path = options["folder"]
    if not folder.is_dir():
        raise SendFailed(f"there is no folder {folder}")
    resolved = folder.resolve()
    own = [volume.root.resolve() for volume in app.volumes.all()] + [app.data_dir.resolve()]
    if any(resolved == one or resolved.is_relative_to(one) for one in own):
        raise GiveUp(f"{folder} is where the archive keeps its own files")
    return resolved


async def probe_folder(app: App, destination: Destination) -> str:
    """Write a file to the folder, and remove it. Raises SendFailed."""
    folder = folder_of(app, app.destinations.parsed(destination))
    name = PurePosixPath(f".charrua-{secrets.token_hex(8)}")
    await write(folder, name, [b"Charrua was here.\n"])
    await asyncio.to_thread((folder / name).unlink)
    return f"files can be written to {folder}"


async def write(folder: Path, relative: PurePosixPath, pieces: AsyncIterable[bytes] | list[bytes]) -> None:
    """Write a file below the folder, in the place of one that is there. SendFailed says why it could not be."""
    try:
        await _write(folder, relative, pieces)
    except OSError as error:
        raise SendFailed(f"{folder}: {error.strerror or type(error).__name__}") from error


async def _write(folder: Path, relative: PurePosixPath, pieces: AsyncIterable[bytes] | list[bytes]) -> None:
    target = folder.joinpath(*relative.parts)
    await asyncio.to_thread(target.parent.mkdir, parents=True, exist_ok=True)
    if not target.parent.resolve().is_relative_to(folder):  # a link that somebody has put there
        raise SendFailed(f"a folder below {folder} leads out of it")
    part = target.parent / f".{secrets.token_hex(8)}.part"
    try:
        with part.open("xb") as file:
            if isinstance(pieces, list):
                await asyncio.to_thread(file.writelines, pieces)
            else:
                async for piece in pieces:
                    await asyncio.to_thread(file.write, piece)
            await asyncio.to_thread(_to_disk, file)
        await asyncio.to_thread(os.replace, part, target)
        await asyncio.to_thread(_folder_to_disk, target.parent)
    except BaseException:
        with suppress(FileNotFoundError):
            part.unlink()
        raise


def _to_disk(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _folder_to_disk(folder: Path) -> None:
    if os.name == "nt":  # Windows cannot, and keeps names by its journal
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
