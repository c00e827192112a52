"""Specific Character Set (0008,0005): bytes to text and back, never failing on what a peer sends (PS3.5 6.1)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache

ASCII = "latin_1"  # PS3.5 says ISO IR 6; what lies above it in real objects is mostly Latin-1
_JAPANESE = ("iso2022_jp", "iso2022_jp_2")

# Defined terms of PS3.3 C.12.1.1.2 → Python codec.
CODECS = {
    "": ASCII,
    "ISO_IR 6": ASCII,
    "ISO_IR 13": "shift_jis",
    "ISO_IR 100": "latin_1",
    "ISO_IR 101": "iso8859_2",
    "ISO_IR 109": "iso8859_3",
    "ISO_IR 110": "iso8859_4",
    "ISO_IR 126": "iso8859_7",
    "ISO_IR 127": "iso8859_6",
    "ISO_IR 138": "iso8859_8",
    "ISO_IR 144": "iso8859_5",
    "ISO_IR 148": "iso8859_9",
    "ISO_IR 166": "tis_620",
    "ISO_IR 203": "iso8859_15",
    "ISO_IR 192": "utf_8",
    "GB18030": "gb18030",
    "GBK": "gbk",
    "ISO 2022 IR 58": "gb2312",
    "ISO 2022 IR 87": "iso2022_jp",
    "ISO 2022 IR 149": "euc_kr",
    "ISO 2022 IR 159": "iso2022_jp_2",
}

# Escape sequences of PS3.3 tables C.12-3 and C.12-4, without ESC → Python codec.
ESCAPES = {
    b"(B": ASCII,
    b"-A": "latin_1",
    b"-B": "iso8859_2",
    b"-C": "iso8859_3",
    b"-D": "iso8859_4",
    b"-F": "iso8859_7",
    b"-G": "iso8859_6",
    b"-H": "iso8859_8",
    b"-L": "iso8859_5",
    b"-M": "iso8859_9",
    b"-T": "tis_620",
    b"-b": "iso8859_15",
    b")I": "shift_jis",
    b"(J": "shift_jis",
    b"$B": "iso2022_jp",
    b"$(D": "iso2022_jp_2",
    b"$)C": "euc_kr",
    b"$)A": "gb2312",
}
_ESCAPE_OF = {codec: sequence for sequence, codec in ESCAPES.items()} | {"shift_jis": b")I"}
_ASCII_TERMS = frozenset({"", "ISO_IR 6", "ISO 2022 IR 6"})
_STAND_ALONE = frozenset({"ISO_IR 192", "GB18030", "GBK"})
_PARTS = re.compile(rb"\x1b[^\x1b]*|[^\x1b]+")
# After one of these the first character set is in force again (PS3.5 6.1.2.5.3).
_RESET = re.compile(rb"[\r\n\t\f\\^=]")
_PIECES = re.compile(r"([\r\n\t\f\\^=])")


class CharacterSet:
    """What a value of Specific Character Set means; get one from `character_set`."""

    __slots__ = ("_codec", "_multiple", "codecs", "terms")

    def __init__(self, terms: tuple[str, ...]) -> None:
        self.terms = terms
        self.codecs = tuple(_codec(term) for term in terms)
        self._codec = self.codecs[0]
        self._multiple = len(terms) > 1 or terms[0].startswith("ISO 2022")

    @property
    def term(self) -> str:
        """The value for (0008,0005), empty for the default repertoire."""
        return "\\".join(self.terms)

    def decode(self, raw: bytes) -> str:
        """Give the text of the bytes; what is malformed becomes U+FFFD, so does NUL, which a database cannot hold."""
        if 27 in raw:
            text = "".join(self._decode_part(part) for part in _PARTS.findall(raw))
        else:
            text = raw.decode(self._codec, "replace")
        return text.replace("\0", "\ufffd") if "\0" in text else text

    def _decode_part(self, part: bytes) -> str:
        if part[0] != 27:
            return part.decode(self._codec, "replace")
        length = 3 if part[1:2] == b"$" and part[2:3] in (b"(", b")") else 2
        codec = ESCAPES.get(part[1 : 1 + length])
        if codec is None:
            return part[1:].decode(self._codec, "replace")
        if codec in _JAPANESE:
            return part.decode(codec, "replace")
        rest = part[1 + length :]
        reset = _RESET.search(rest)
        end = reset.start() if reset else len(rest)
        return rest[:end].decode(codec, "replace") + rest[end:].decode(self._codec, "replace")

    def encode(self, text: str) -> bytes | None:
        """Give the bytes of the text, None when this character set cannot carry it."""
        if text.isascii():
            return text.encode("ascii")
        if len(self.terms) == 1 and self.terms[0] in _ASCII_TERMS:
            return None
        try:
            if self._codec == "utf_8":
                return text.encode("utf_8", "replace")
            return self._encode_extended(text) if self._multiple else text.encode(self._codec)
        except UnicodeError:
            return None

    def nearest(self, text: str) -> str:
        """Give the text as far as this set can say it: letters without their accents, and `?` for the others."""
        if self.encode(text) is not None:
            return text
        return "".join(self._nearest(character) for character in text)

    def _nearest(self, character: str) -> str:
        for written in (character, _plain(character)):
            if self.encode(written) is not None:
                return written
        return "?"

    def _encode_extended(self, text: str) -> bytes | None:
        """Code extensions: each component on its own, as each delimiter falls back to the first set."""
        pieces = [self._encode_piece(piece) for piece in _PIECES.split(text)]
        encoded = b"".join(piece for piece in pieces if piece is not None)
        return encoded if None not in pieces and self.decode(encoded) == text else None

    def _encode_piece(self, piece: str) -> bytes | None:
        encoded = b""
        current = start = 0
        for index, character in enumerate(piece):
            if not self._carries(current, character):
                encoded += self._designated(current, piece[start:index])
                start = index
                able = [index for index in range(len(self.terms)) if self._carries(index, character)]
                if not able:
                    return None
                current = able[0]
        return encoded + self._designated(current, piece[start:])

    def _carries(self, index: int, character: str) -> bool:
        if character.isascii():
            return True
        try:
            encoded = character.encode("ascii" if self.terms[index] in _ASCII_TERMS else self.codecs[index])
        except UnicodeError:
            return False
        return self.codecs[index] != "shift_jis" or len(encoded) == 1

    def _designated(self, index: int, text: str) -> bytes:
        """The text in one of the sets, with the escape sequence that makes it the active one."""
        codec = self.codecs[index]
        encoded = text.encode(codec)
        if codec in _JAPANESE:  # Python's codec writes the sequences itself, and ends in ASCII
            romaji = self.codecs[0] == "shift_jis" and encoded.endswith(b"\x1b(B")
            return encoded[:-1] + b"J" if romaji else encoded
        return encoded if index == 0 or not text else b"\x1b" + _ESCAPE_OF[codec] + encoded


_PLAIN = {
    "ß": "ss",
    "Æ": "AE",
    "æ": "ae",
    "Œ": "OE",
    "œ": "oe",
    "Ø": "O",
    "ø": "o",
    "Ł": "L",
    "ł": "l",
    "Đ": "D",
    "đ": "d",
}


def _plain(character: str) -> str:
    """A letter without its accents."""
    parts = unicodedata.normalize("NFKD", _PLAIN.get(character, character))
    return "".join(part for part in parts if not unicodedata.combining(part))


def _codec(term: str) -> str:
    if term.startswith("ISO 2022 IR ") and term not in CODECS:
        term = "ISO_IR " + term[12:]
    return CODECS.get(term, ASCII)


@lru_cache(maxsize=256)
def character_set(value: bytes | str) -> CharacterSet:
    """Give what a value of Specific Character Set means; terms that nobody defined count as the default repertoire."""
    text = value.decode("latin_1") if isinstance(value, bytes) else value
    terms = [_corrected(term.strip(" \0")) for term in text.split("\\")]
    if terms[0] in _STAND_ALONE:
        terms = terms[:1]
    return CharacterSet(tuple(terms[:1] + [term for term in terms[1:] if term and term not in _STAND_ALONE][:15]))


def _corrected(term: str) -> str:
    """Forgive the spellings that real objects have: `ISO-IR 100`, `ISO IR 100`, `ISO_2022_IR_87`."""
    if match := re.fullmatch(r"ISO.2022.IR.(\d{1,3})", term):
        return "ISO 2022 IR " + match[1]
    if match := re.fullmatch(r"ISO.IR.(\d{1,3})", term):
        return "ISO_IR " + match[1]
    return term


DEFAULT = character_set("")
LATIN_1 = character_set("ISO_IR 100")
UTF_8 = character_set("ISO_IR 192")


def encode_text(values: Sequence[str], charset: CharacterSet) -> bytes | None:
    """Give the values joined by backslashes, None when the character set cannot carry one of them."""
    encoded = [charset.encode(value) for value in values]
    return None if None in encoded else b"\\".join(value for value in encoded if value is not None)


def choose(texts: Iterable[str], requested: CharacterSet) -> CharacterSet:
    """Give the character set to answer in: the peer's own when it can carry all texts, else Unicode.

    A peer that named none is given Latin-1 where that suffices, as more of those read it than read UTF-8.
    """
    extended = [text for text in texts if not text.isascii()]
    candidates = (requested,) if requested.term else (requested, LATIN_1)
    for charset in candidates:
        if all(charset.encode(text) is not None for text in extended):
            return charset
    return UTF_8
