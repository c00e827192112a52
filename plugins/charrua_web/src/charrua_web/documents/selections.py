"""Key images: a Key Object Selection that says which images of a study matter, and for what (PS3.3 A.35.4, PS3.16 TID 2010)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from charrua_core.imaging.documents.values import Reference
from charrua_core.types import DicomJson
from charrua_core.web import HttpError, json_object
from charrua_web.documents import codes
from charrua_web.documents.codes import Coding
from charrua_web.documents.document import Author, head, observer
from charrua_web.documents.images import Image
from charrua_web.documents.items import CONTAINS, container, image, text
from charrua_web.documents.measurement import is_uid, words
from charrua_web.documents.readback import is_code
from charrua_web.documents.reports import Document

KEY_OBJECT_SELECTION = "1.2.840.10008.5.1.4.1.1.88.59"
OF_INTEREST = "113000"
MOST_OBJECTS, _MOST_FRAMES, _LONGEST = 1_000, 1_000, 1_024


@dataclass(frozen=True, slots=True)
class Selection:
    """What one request selects: objects, with the frames that are meant, none for all."""

    title: Coding
    description: str
    objects: Mapping[str, tuple[int, ...]]


def read_selection(body: bytes) -> Selection:
    """Give what a body selects. HttpError 400 says what is wrong with it."""
    told = json_object(body)
    title, chosen = told.get("title", OF_INTEREST), told.get("images")
    if title not in codes.SELECTION_TITLES:
        raise HttpError(400, f"title is a code of CID 7010: {', '.join(codes.SELECTION_TITLES)}")
    if not isinstance(chosen, list) or not 0 < len(chosen) <= MOST_OBJECTS:
        raise HttpError(400, f"images is a list of 1 to {MOST_OBJECTS}")
    objects: dict[str, tuple[int, ...]] = {}
    for one in chosen:
        instance, frames = _object(one)
        objects[instance] = tuple(dict.fromkeys((*objects.get(instance, ()), *frames)))
    description = words(told.get("description", ""), _LONGEST, "description")
    return Selection(Coding(title, "DCM", codes.SELECTION_TITLES[title]), description, objects)


def _object(told: Any) -> tuple[str, tuple[int, ...]]:
    instance = told.get("instance") if isinstance(told, dict) else None
    frames = told.get("frames", []) if isinstance(told, dict) else []
    if not is_uid(instance):
        raise HttpError(400, "an image is named by its SOP Instance UID, in instance")
    is_list = isinstance(frames, list) and len(frames) <= _MOST_FRAMES
    if not is_list or not all(isinstance(one, int) and one >= 1 for one in frames):
        raise HttpError(400, "frames is a list of numbers from 1")
    return str(instance), tuple(frames)


def selection_document(selection: Selection, images: Mapping[str, Image], author: Author) -> DicomJson:
    """The object. HttpError 400 for a frame that an image does not have."""
    items = [_image(one, selection.objects[uid]) for uid, one in images.items()]
    described = [text(codes.KEY_DESCRIPTION, selection.description)] if selection.description else []
    made = head(KEY_OBJECT_SELECTION, "KO", selection.title.meaning, images.values(), author)
    return made | container(selection.title, [*observer(author), *described, *items], "2010", relationship="")


def _image(one: Image, frames: Sequence[int]) -> DicomJson:
    if any(frame > one.frames for frame in frames):
        raise HttpError(400, f"an image has {one.frames} frames, and no frame {max(frames)}")
    return image(one.record.sop_class_uid, one.record.sop_instance_uid, one.frames_told(frames), CONTAINS)


def selected(document: Document) -> list[Reference]:
    """The objects that a selection names."""
    return [item.value for item in document.report.root.children if isinstance(item.value, Reference)]


def description_of(document: Document) -> str:
    """What its author wrote of the selection."""
    items = document.report.root.children
    return next((item.text for item in items if is_code(item.concept, codes.KEY_DESCRIPTION)), "")
