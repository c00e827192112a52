"""Characters of messages: the character set of MSH-18 (table 0211, and what senders write), and escape sequences."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from charrua_core.archive.datasets.charsets import character_set
from charrua_hl7.errors import ValueInvalid

if TYPE_CHECKING:
    from charrua_hl7.message import Separators

CHARACTER_SETS: Mapping[str, str] = {
    **{f"8859/{part}": f"iso8859-{part}" for part in (*range(1, 10), 15)},
    **{f"ISO8859{part}": f"iso8859-{part}" for part in (*range(1, 10), 15)},
    **{f"ISO8859/{part}": f"iso8859-{part}" for part in (*range(1, 10), 15)},
    **{f"LATIN{number}": f"iso8859-{number}" for number in range(1, 5)},
    "ISOIR100": "iso8859-1",
    "ISOIR101": "iso8859-2",
    "ISOIR109": "iso8859-3",
    "ISOIR110": "iso8859-4",
    "ISOIR144": "iso8859-5",
    "ISOIR127": "iso8859-6",
    "ISOIR126": "iso8859-7",
    "ISOIR138": "iso8859-8",
    "ISOIR148": "iso8859-9",
    "ISOIR203": "iso8859-15",
    "ISOIR192": "utf-8",
    "ISOIR166": "tis-620",
    "ISOIR6": "ascii",
    "ASCII": "ascii",
    "USASCII": "ascii",
    "ISOIR13": "shift_jis",
    "ISOIR14": "shift_jis",
    "ISOIR87": "iso2022_jp_ext",
    "ISOIR159": "iso2022_jp_ext",
    "SJIS": "cp932",
    "SHIFTJIS": "cp932",
    "MS932": "cp932",
    "EUCJP": "euc_jp",
    "GB180302000": "gb18030",
    "GB18030": "gb18030",
    "GBK": "gb18030",
    "GB2312": "gb18030",
    "KSX1001": "cp949",
    "KSC5601": "cp949",
    "EUCKR": "cp949",
    "ISOIR149": "cp949",
    "BIG5": "big5hkscs",
    "CP950": "cp950",
    "UNICODE": "utf-8",
    "UNICODEUTF8": "utf-8",
    "UTF8": "utf-8",
    "ISO/IEC1064611993": "utf-8",
    "ISO10646": "utf-8",
    "UNICODEUTF16": "utf-16-be",
    "UTF16": "utf-16-be",
    "UNICODEUTF32": "utf-32-be",
    "UTF32": "utf-32-be",
    **{f"WINDOWS{page}": f"cp{page}" for page in range(1250, 1259)},
    **{f"CP{page}": f"cp{page}" for page in (*range(1250, 1259), 437, 850)},
}
"""By name in capitals, without blanks, `-` and `_`. Text in Unicode is known by its first bytes, whatever is declared."""

_TERMS: Mapping[str, str] = {
    "8859/1": "100",
    "8859/2": "101",
    "8859/3": "109",
    "8859/4": "110",
    "8859/5": "144",
    "8859/6": "127",
    "8859/7": "126",
    "8859/8": "138",
    "8859/9": "148",
    "8859/15": "203",
    "ISOIR6": "6",
    "ASCII": "6",
    "ISOIR14": "13",
    "ISOIR87": "87",
    "ISOIR159": "159",
    "KSX1001": "149",
}
"""Of sets that stand beside others the number that DICOM has, whose code extensions are the same (ISO 2022)."""

_UNSUPPORTED = frozenset({"CNS116431992", "CNS11643", "EUCTW"})
_LATIN = frozenset({"iso8859-1", "iso8859-9", "iso8859-15", "cp1252", "ascii"})
_STARTS = (
    *((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32")),
    *((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")),
    *((b"M\0\0\0S", "utf-32-le"), (b"\0\0\0M\0\0\0S", "utf-32-be"), (b"M\0S\0", "utf-16-le"), (b"\0M\0S", "utf-16-be")),
    *((b"F\0H\0", "utf-16-le"), (b"\0F\0H", "utf-16-be"), (b"B\0H\0", "utf-16-le"), (b"\0B\0H", "utf-16-be")),
)
_C1 = re.compile("[\x80-\x9f]")


def decoded(content: bytes) -> tuple[str, str]:
    """Give the text of a message, in the character set that its first bytes or MSH-18 tell, and the codec of that set.

    Where none is declared, or what is declared cannot be: UTF-8 if the bytes are, else Windows-1252. Raises ValueInvalid
    where a character set is declared that nobody here can read, and the text has more than ASCII.
    """
    for start, codec in _STARTS:
        if content.startswith(start):
            return content.decode(codec, "replace"), (
                _declared(content)[1] or "utf-8"
            ) if codec == "utf-8-sig" else codec
    if content.isascii() and b"\x1b" not in content:
        return content.decode("ascii"), _declared(content)[1] or "utf-8"
    names, codec = _declared(content)
    if names and names[0] in _UNSUPPORTED:
        raise ValueInvalid("its character set CNS 11643 is not known here: UNICODE UTF-8 is", "MSH^1^18")
    if len(names) > 1 and b"\x1b" in content:
        return _extended(content, names), codec or "utf-8"
    if codec in _LATIN or codec == "utf-8" or not codec:
        return _western(content, codec)
    return _declared_text(content, codec)


def codec_of(name: str) -> str:
    """Give the codec of a character set as MSH-18 names it, "" of one that is not known."""
    return CHARACTER_SETS.get(_plain(name), "")


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]", "", name).upper()


def wide_codec(content: bytes) -> str:
    """Give the codec of a text whose characters have several bytes each, "" of any other."""
    return next((codec for start, codec in _STARTS if content.startswith(start) and "utf-8" not in codec), "")


def _declared(content: bytes) -> tuple[list[str], str]:
    """The names in MSH-18, and the codec of the first; "" where it is empty or unknown."""
    start = content.find(b"MSH")
    head = re.split(rb"[\r\n]", content[start : start + 10_000], maxsplit=1)[0] if start >= 0 else b""
    fields = head.split(head[3:4]) if len(head) > 8 else []
    repetition = fields[1][1:2] if len(fields) > 1 else b"~"
    named = fields[17].split(repetition or b"~") if len(fields) > 17 else []
    names = [_plain(name.decode("ascii", "replace")) for name in named]
    first = next(filter(None, names), "")
    return [name for name in names if name], CHARACTER_SETS.get(first, "")


def _western(content: bytes, codec: str) -> tuple[str, str]:
    """Senders that declare nothing, ASCII or Latin-1 send UTF-8 or Windows-1252: accented letters are never valid UTF-8."""
    try:
        return content.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        wanted = codec if codec.startswith("iso8859") else "cp1252"
        text = content.decode(wanted, "replace")
        return (
            (content.decode("cp1252", "replace"), "cp1252")
            if wanted == "iso8859-1" and _C1.search(text)
            else (text, wanted)
        )


def _declared_text(content: bytes, codec: str) -> tuple[str, str]:
    try:
        text = content.decode(codec)
    except UnicodeDecodeError:
        return _western(content, codec)
    if codec.startswith("iso8859") and _C1.search(text):  # characters that no text has: it is not what it says
        return _western(content, codec)
    return text, codec


def _extended(content: bytes, names: list[str]) -> str:
    """Several sets, of which escape sequences choose (MSH-20: ISO 2022-1994)."""
    terms = [f"ISO 2022 IR {_TERMS[name]}" for name in names if name in _TERMS]
    charset = character_set("\\".join(terms))
    return "\r".join(charset.decode(line) for line in re.split(rb"\r\n|\r|\n", content))


def unescaped(text: str, marks: Separators) -> str:
    """Give a text with its escape sequences resolved (HL7 v2 2.7): delimiters, `\\X0D\\`, line breaks.

    Highlighting, local sequences and switches of character sets are left out. What is no sequence stays: `C:\\TEMP`.
    """
    if marks.escape not in text:
        return text
    return _sequences(marks.escape).sub(lambda found: _meant(found, marks), text)


@lru_cache(maxsize=32)
def _sequences(escape: str) -> re.Pattern[str]:
    mark = re.escape(escape)
    formatting = r"\.(?:br|sp|ce|fi|nf|in|ti|sk)[^X]{0,8}".replace("X", mark)
    octets, ignored = rf"(?:{mark}X(?:[0-9A-Fa-f]{{2}})+{mark})+", rf"[CMZ][^{mark}]{{0,64}}"
    return re.compile(rf"({octets})|{mark}(?:([FSTREPHN])|({formatting})|{ignored}){mark}")


def _meant(found: re.Match[str], marks: Separators) -> str:
    octets, letter, formatting = found.groups()
    if octets:
        told = bytes.fromhex("".join(re.findall(r"(?:[0-9A-Fa-f]{2})+", octets.replace("X", ""))))
        return _octets(told, marks.codec).replace("\r\n", "\n").replace("\r", "\n")
    if letter:
        plain = {"F": marks.field, "S": marks.component, "T": marks.subcomponent, "R": marks.repetition}
        return plain.get(letter) or {"E": marks.escape, "P": marks.truncation}.get(letter, "")
    return "\n" if formatting and formatting[1:3] in ("br", "sp", "ce") else ""


def _octets(told: bytes, codec: str) -> str:
    try:
        return told.decode(codec)
    except (UnicodeDecodeError, LookupError):
        return told.decode("cp1252", "replace")
