"""DICOM JSON to the Native DICOM Model in XML and back (PS3.19 A.1, which PS3.18 8.7.3 has for `application/dicom+xml`).

Private Creators stand as elements of their own as well, so that a data set read back has its private blocks where they were.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple
from xml.parsers import expat

from pydicom.datadict import keyword_for_tag

from charrua_core.archive.datasets.jsonmodel import (
    BINARY_VRS,
    KNOWN_VRS,
    NUMBER_FORMATS,
    decimal,
    integer,
    private_vr,
    public_vr,
)
from charrua_core.archive.datasets.privates import Blocks, creators
from charrua_core.errors import MetadataInvalid
from charrua_core.types import DicomJson

NAMESPACE = "http://dicom.nema.org/PS3.19/models/NativeDICOM"
LONGEST = 64 << 20
"""Bytes of a document that is read."""
MOST_NODES = 1_000_000
DEEPEST = 64
"""Sequences in one another."""

_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_COMPONENTS = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")

# --- writing -------------------------------------------------------------------------------------------------------

# XML 1.0 has no way to say most control characters: they become U+FFFD.
_SPECIAL = re.compile(r"[&<>\r\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_SPECIAL_QUOTED = re.compile(r"[&<>\"\r\n\t\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#13;", "\n": "&#10;", "\t": "&#9;"}


def to_xml(dataset: Mapping[str, Mapping[str, Any]]) -> bytes:
    """Give the data set as a document in UTF-8, without group lengths; control characters of texts are U+FFFD in it."""
    opening = f'<?xml version="1.0" encoding="UTF-8"?>\n<NativeDicomModel xmlns="{NAMESPACE}" xml:space="preserve">'
    return "".join([opening, *_attributes(dataset), "</NativeDicomModel>"]).encode()


def _attributes(dataset: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    named = creators(dataset)
    for tag in sorted(dataset):
        if tag.endswith("0000"):
            continue
        element = dataset[tag]
        content = "".join(_content(element))
        opening = _opening(tag, element["vr"], named.get(tag[:4] + tag[4:6]))
        yield f"{opening}>{content}</DicomAttribute>" if content else f"{opening}/>"


@lru_cache(maxsize=8192)
def _opening(tag: str, vr: str, creator: str | None) -> str:
    if creator is not None:
        return f'<DicomAttribute tag="{tag[:4]}00{tag[6:]}" vr="{vr}" privateCreator="{_quoted(creator)}"'
    keyword = keyword_for_tag(int(tag, 16))
    return f'<DicomAttribute tag="{tag}" vr="{vr}"' + (f' keyword="{keyword}"' if keyword else "")


def _content(element: Mapping[str, Any]) -> Iterator[str]:
    if "BulkDataURI" in element:
        yield f'<BulkData uri="{_quoted(element["BulkDataURI"])}"/>'
    elif "InlineBinary" in element:
        yield f"<InlineBinary>{element['InlineBinary']}</InlineBinary>"
    else:
        write = _WRITERS.get(element["vr"], _value)
        for number, value in enumerate(element.get("Value", ()), 1):
            yield write(number, value)


def _value(number: int, value: Any) -> str:
    text = "" if value is None else _escaped(value) if isinstance(value, str) else repr(value)
    return f'<Value number="{number}">{text}</Value>'


def _item(number: int, item: Mapping[str, Mapping[str, Any]] | None) -> str:
    return f'<Item number="{number}">{"".join(_attributes(item or {}))}</Item>'


def _person_name(number: int, name: Mapping[str, str] | None) -> str:
    groups = "".join(
        f"<{group}>{_name_components(name[group])}</{group}>" for group in _GROUPS if name and group in name
    )
    return f'<PersonName number="{number}">{groups}</PersonName>'


def _name_components(text: str) -> str:
    """The components; an empty last one is told, so that a name keeps the carets at its end."""
    values = text.split("^", len(_COMPONENTS) - 1)
    named = zip(_COMPONENTS, values, strict=False)
    told = [(name, value) for name, value in named if value or name == _COMPONENTS[len(values) - 1]]
    return "".join(f"<{name}>{_escaped(value)}</{name}>" for name, value in told)


_WRITERS: Mapping[str, Callable[[int, Any], str]] = {"SQ": _item, "PN": _person_name}


def _escaped(text: str) -> str:
    return _SPECIAL.sub(_reference, text)


def _quoted(text: str) -> str:
    return _SPECIAL_QUOTED.sub(_reference, text)


def _reference(match: re.Match[str]) -> str:
    return _ENTITIES.get(match[0], "\ufffd")


# --- reading -------------------------------------------------------------------------------------------------------

_MAY_HOLD: Mapping[str, frozenset[str]] = {
    "": frozenset({"NativeDicomModel"}),
    "NativeDicomModel": frozenset({"DicomAttribute"}),
    "Item": frozenset({"DicomAttribute"}),
    "DicomAttribute": frozenset({"Value", "Item", "PersonName", "InlineBinary", "BulkData"}),
    "PersonName": frozenset(_GROUPS),
    **dict.fromkeys(_GROUPS, frozenset(_COMPONENTS)),
}
_WITH_TEXT = frozenset({"Value", "InlineBinary", *_COMPONENTS})
_TAG = re.compile(r"[0-9A-F]{8}")


def from_xml(data: bytes) -> DicomJson:
    """Give the data set of a document, tags in order; VRs that it leaves out are those of the dictionary.

    A private element in no block goes into the one that its creator has, else into the next free one. No document type and
    no entity is read. Raises MetadataInvalid for what is no Native DICOM Model and what is past the limits of this module.
    """
    if len(data) > LONGEST:
        raise MetadataInvalid(f"the XML is longer than {LONGEST >> 20} MiB")
    return _Reader().read(data)


class _Child(NamedTuple):
    name: str
    attributes: dict[str, str]
    content: Any


class _Node:
    """An element that is open."""

    __slots__ = ("attributes", "children", "name", "text")

    def __init__(self, name: str, attributes: dict[str, str]) -> None:
        self.name, self.attributes = name, attributes
        self.children: list[_Child] = []
        self.text: list[str] = []


class _Reader:
    """One document: each element becomes what it means in JSON as soon as it ends."""

    def __init__(self) -> None:
        self._open = [_Node("", {})]
        self._nodes_left = MOST_NODES

    def read(self, data: bytes) -> DicomJson:
        """Give the data set."""
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = _refuse_doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        try:
            parser.Parse(data, True)
        except (expat.ExpatError, LookupError, ValueError) as error:
            raise MetadataInvalid(f"the XML is not well formed in line {parser.CurrentLineNumber}") from error
        dataset: DicomJson = self._open[0].children[0].content
        return dataset

    def _start(self, qualified: str, attributes: dict[str, str]) -> None:
        namespace, _, name = qualified.rpartition(" ")
        self._nodes_left -= 1
        if self._nodes_left < 0 or len(self._open) > 2 * DEEPEST + 6:
            raise MetadataInvalid("the XML has too many elements, or too deep ones")
        if namespace not in ("", NAMESPACE) or name not in _MAY_HOLD.get(self._open[-1].name, ()):
            raise MetadataInvalid("the XML has an element where the Native DICOM Model has none")
        self._open.append(_Node(name, attributes))

    def _text(self, text: str) -> None:
        node = self._open[-1]
        if node.name in _WITH_TEXT:
            node.text.append(text)
        elif not text.isspace():
            raise MetadataInvalid("the XML has text where the Native DICOM Model has none")

    def _end(self, _: str) -> None:
        node = self._open.pop()
        self._open[-1].children.append(_Child(node.name, node.attributes, _READERS.get(node.name, _plain)(node)))


def _refuse_doctype(*_: object) -> None:
    raise MetadataInvalid("the XML has a document type, which is not read")


def _plain(node: _Node) -> str:
    return "".join(node.text)


def _read_components(node: _Node) -> str:
    found = {child.name: child.content for child in node.children}
    last = max((_COMPONENTS.index(name) for name in found), default=0)
    return "^".join(found.get(name, "") for name in _COMPONENTS[: last + 1])


def _read_name(node: _Node) -> dict[str, str] | None:
    return {child.name: child.content for child in node.children} or None


def _read_attribute(node: _Node) -> dict[str, Any]:
    """The element, by VR; a private one that has no VR gets one with its block."""
    tag = node.attributes.get("tag", "")
    if not _TAG.fullmatch(tag):
        raise MetadataInvalid("a DicomAttribute has no tag of 8 hexadecimal digits")
    creator = node.attributes.get("privateCreator")
    number = int(tag, 16)
    known = private_vr(number & 0xFFFF00FF | 0x1000, creator) if creator else public_vr(number)
    vr = node.attributes.get("vr") or known or "UN"
    if vr not in KNOWN_VRS:
        raise MetadataInvalid(f"the VR of {tag} is none")
    kinds = {child.name for child in node.children}
    if len(kinds) > 1 or not kinds <= {_KIND_OF.get(vr, "Value"), "BulkData"}:
        raise MetadataInvalid(f"{tag} has content that is none of its VR")
    return {"vr": vr, **_read_content(tag, vr, node.children)}


_KIND_OF = {"SQ": "Item", "PN": "PersonName"} | dict.fromkeys(BINARY_VRS, "InlineBinary")


def _read_content(tag: str, vr: str, children: list[_Child]) -> dict[str, Any]:
    if not children:
        return {}
    kind = children[0].name
    if kind in ("InlineBinary", "BulkData"):
        if len(children) > 1:
            raise MetadataInvalid(f"{tag} has more than one value in bytes")
        return _read_binary(tag, children[0])
    numbered = sorted((_number(tag, child.attributes), child.content) for child in children)
    if [number for number, _ in numbered] != list(range(1, len(numbered) + 1)):
        raise MetadataInvalid(f"the values of {tag} are not numbered 1, 2, 3 …")
    values = [value for _, value in numbered]
    return {"Value": [_typed(tag, vr, value) for value in values] if kind == "Value" else values}


def _number(tag: str, attributes: Mapping[str, str]) -> int:
    text = attributes.get("number", "")
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise MetadataInvalid(f"a value of {tag} has no number")
    return int(text)


def _read_binary(tag: str, child: _Child) -> dict[str, str]:
    if child.name == "InlineBinary":
        text = "".join(child.content.split())
        try:
            b64decode(text, validate=True)
        except ValueError as error:
            raise MetadataInvalid(f"the value of {tag} is not in Base64") from error
        return {"InlineBinary": text} if text else {}
    uri = child.attributes.get("uri") or "urn:uuid:" + child.attributes.get("uuid", "")
    if uri == "urn:uuid:":
        raise MetadataInvalid(f"the bulk data of {tag} have neither uri nor uuid")
    return {"BulkDataURI": uri}


def _typed(tag: str, vr: str, text: str) -> Any:
    """One value as DICOM JSON has it, None for an empty one."""
    if not text:
        return None
    if vr == "DS":
        return decimal(text)
    if vr == "IS":
        return integer(text)
    if vr == "AT" and not _TAG.fullmatch(text):
        raise MetadataInvalid(f"a value of {tag} is no tag")
    if vr not in NUMBER_FORMATS:
        return text
    number = decimal(text) if vr in ("FL", "FD") else int(text) if re.fullmatch(r"\s*[+-]?[0-9]{1,20}\s*", text) else ""
    if isinstance(number, str) and number.lower() not in ("nan", "inf", "-inf"):
        raise MetadataInvalid(f"a value of {tag} is no number")
    return number


def _read_dataset(node: _Node) -> DicomJson:
    blocks = Blocks()
    plain = [child for child in node.children if "privateCreator" not in child.attributes]
    private = [child for child in node.children if "privateCreator" in child.attributes]
    for child in plain:
        blocks.take(child.attributes["tag"], child.content)
    for child in private:
        blocks.place(child.attributes["tag"], child.attributes["privateCreator"], child.content)
    return dict(sorted(blocks.dataset.items()))


_READERS: Mapping[str, Callable[[_Node], Any]] = {
    "NativeDicomModel": _read_dataset,
    "Item": _read_dataset,
    "DicomAttribute": _read_attribute,
    "PersonName": _read_name,
    **dict.fromkeys(_GROUPS, _read_components),
}
