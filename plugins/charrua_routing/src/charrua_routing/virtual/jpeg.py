"""JPEG, the virtual server: images become JPEG files under `Modality/PatientName PatientID`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from charrua_core import errors
from charrua_core.archive.search import InstanceRecord
from charrua_core.imaging.render.request import RenderRequest
from charrua_core.imaging.rendering import render
from charrua_core.imaging.stored import StoredImage, stored_image, stored_object
from charrua_core.sending import DestinationKind, Outcome, Sending
from charrua_core.settings import Setting
from charrua_routing.kinds.each import each
from charrua_routing.kinds.names import path_of
from charrua_routing.kinds.places import FOLDER, check_folder, folder_of, probe_folder, write
from charrua_routing.marking import N_

if TYPE_CHECKING:
    from charrua_core.app import App

_FOLDERS = "{Modality}/{PatientName} {PatientID}/{SOPInstanceUID}"
_ROWS = "00280010"
OPTIONS = (
    FOLDER,
    Setting(
        "frames",
        str,
        "all",
        choices=("all", "representative"),
        help="Of an image of many frames: all, or the representative one, which else is the middle one.",
        since="0.1",
    ),
    Setting("quality", int, 90, minimum=1, maximum=100, help="Quality of the JPEG files.", since="0.1"),
)

_NEVER = (
    errors.ImageInvalid,
    errors.FrameUndecodable,
    errors.FrameTooLarge,
    errors.CodecUnavailable,
    errors.RenderingInvalid,
)
_PASSES = (errors.ImagingTimeout, errors.ImagingCrashed, errors.ImagingBusy, errors.ImagingFailed, errors.FramePoisoned)


async def send(sending: Sending) -> AsyncGenerator[Outcome, None]:
    """Write the frames of each image; what is no image is passed over."""
    options = sending.app.destinations.parsed(sending.destination)
    folder = folder_of(sending.app, options)
    request = RenderRequest(quality=options["quality"])

    async def take(record: InstanceRecord) -> Outcome | None:
        try:
            image = await _image(sending.app, record)
            if image is None:
                return Outcome(record, "passed over", "it is no image")
            await _write_frames(sending.app, record, image, folder, options["frames"], request)
        except _NEVER as error:
            return Outcome(record, "refused", str(error))
        except _PASSES as error:
            return Outcome(record, "failed", str(error))
        return None

    async for outcome in each(sending, take):
        yield outcome


async def _image(app: App, record: InstanceRecord) -> StoredImage | None:
    """The object's pixels; None for one that has none, and ImageInvalid for one that should."""
    try:
        return await stored_image(app, record)
    except errors.ImageInvalid:
        if _ROWS in (await stored_object(app, record)).attributes.elements:
            raise
        return None


async def _write_frames(
    app: App, record: InstanceRecord, image: StoredImage, folder: Path, which: str, request: RenderRequest
) -> None:
    header = {tag: dict(element) for tag, element in image.attributes.elements.items()}
    stem = path_of(_FOLDERS, header)
    for number in frames_of(image, which):
        rendered = await render(app, record, number, request)
        many = f"_{number:05d}" if image.number_of_frames > 1 else ""
        await write(folder, PurePosixPath(f"{stem}{many}.jpg"), [rendered.data])


def frames_of(image: StoredImage, which: str) -> Sequence[int]:
    """Give the numbers of the frames, from 1 (PS3.3 C.7.6.6: Representative Frame Number)."""
    last = image.number_of_frames
    if which == "all":
        return range(1, last + 1)
    told = image.attributes.integer("00286010", (last + 1) // 2)
    return [told if 1 <= told <= last else (last + 1) // 2]


KIND = DestinationKind(
    "jpeg",
    N_("JPEG files of images, under Modality/PatientName PatientID in a folder."),
    send,
    probe_folder,
    OPTIONS,
    required=frozenset({"folder"}),
    check=check_folder,
)
