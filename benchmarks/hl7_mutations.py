"""Messages of HL7 as no sender should send them: made from good ones, by chance, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

VT, FS, CR = b"\x0b", b"\x1c", b"\r"
_ODD = (
    b"\x00",
    b"\xff",
    b"\xc3",
    b"\x1b$B",
    b"\\X00\\",
    b"\\X0D\\",
    b"\\",
    b'""',
    b"~" * 300,
    b"^" * 500,
    b"&",
    b"|" * 50,
)
_WORDS = (
    *(
        b"NW",
        b"CA",
        b"XO",
        b"SC",
        b"DC",
        b"ZZ",
        b"HD",
        b"RL",
        b"A40",
        b"A08",
        b"A18",
        b"S12",
        b"S15",
        b"S26",
        b"R01",
        b"O01",
    ),
    *(
        b"99999999",
        b"20270229",
        b"-1",
        b"1" * 400,
        b"'; DROP TABLE x;--",
        b"<script>",
        b"UNICODE UTF-8",
        b"8859/1",
        b"ISO IR87",
    ),
)


@dataclass
class Mutations:
    """Gives frames of mutated messages."""

    seeds: Sequence[bytes]
    chance: random.Random
    _count: int = 0
    _ways: Sequence[Callable[[bytes], bytes]] = field(init=False)

    def __post_init__(self) -> None:
        self._ways = (
            *(self._flip, self._cut, self._drop, self._twice, self._swap, self._insert, self._word, self._word),
            *(self._field, self._field, self._splice, self._delimiters, self._many),
        )

    @classmethod
    def of_folder(cls, folder: Path, chance: random.Random) -> Mutations:
        """Mutate the messages of a folder."""
        paths = sorted([*folder.rglob("*.hl7"), *folder.rglob("*.bin")])
        return cls([path.read_bytes().replace(b"\r\n", CR).replace(b"\n", CR) for path in paths], chance)

    def message(self) -> bytes:
        """Give one. Most have a control ID of their own; without that, a good part would be repetitions of each other."""
        self._count += 1
        content = self.chance.choice(self.seeds)
        if self.chance.random() < 0.95:
            content = self._numbered(content)
        for _ in range(self.chance.choice((0, 1, 1, 1, 2, 2, 3, 5))):
            content = self.chance.choice(self._ways)(content)
        return content[:200_000]

    def frame(self) -> bytes:
        """Give one in a frame, of which the sender leaves out or adds something at times."""
        content = self.message().replace(VT, b"").replace(FS, b"")
        begin = VT * self.chance.choice((1, 1, 1, 1, 2, 5))
        return begin + content + FS + self.chance.choice((CR, CR, CR, b"", b"\n", b"\r\n", b"\r\r"))

    def rude(self) -> bytes:
        """Give what a sender may leave when it goes: half a frame, or bytes in none."""
        return self.chance.choice(
            (VT + self.message()[:50], self.message()[:50], b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n", b"")
        )

    def _numbered(self, content: bytes) -> bytes:
        lines = content.split(CR)
        for at, line in enumerate(lines):
            fields = line.split(b"|")
            if fields[0] == b"MSH" and len(fields) > 9:
                fields[9] = b"Z%d" % self._count
                lines[at] = b"|".join(fields)
        return CR.join(lines)

    def _at(self, content: bytes) -> int:
        return self.chance.randrange(len(content) + 1)

    def _flip(self, content: bytes) -> bytes:
        at = self._at(content)
        return content[:at] + bytes([self.chance.randrange(256)]) + content[at + 1 :]

    def _cut(self, content: bytes) -> bytes:
        return content[: self._at(content)]

    def _drop(self, content: bytes) -> bytes:
        lines = content.split(CR)
        del lines[self.chance.randrange(len(lines))]
        return CR.join(lines)

    def _twice(self, content: bytes) -> bytes:
        lines = content.split(CR)
        at = self.chance.randrange(len(lines))
        return CR.join(lines[:at] + [lines[at]] * self.chance.choice((2, 3, 30)) + lines[at:])

    def _swap(self, content: bytes) -> bytes:
        lines = content.split(CR)
        self.chance.shuffle(lines)
        return CR.join(lines)

    def _insert(self, content: bytes) -> bytes:
        at = self._at(content)
        return content[:at] + self.chance.choice(_ODD) + content[at:]

    def _word(self, content: bytes) -> bytes:
        return self._in_field(content, lambda _: self.chance.choice(_WORDS))

    def _field(self, content: bytes) -> bytes:
        other = self.chance.choice(self.seeds).replace(CR, b"|").split(b"|")
        return self._in_field(content, lambda _: self.chance.choice([*other[:40], b""]))

    def _in_field(self, content: bytes, change: Callable[[bytes], bytes]) -> bytes:
        lines = content.split(CR)
        at = self.chance.randrange(len(lines))
        fields = lines[at].split(b"|")
        number = self.chance.randrange(len(fields))
        fields[number] = change(fields[number])
        lines[at] = b"|".join(fields)
        return CR.join(lines)

    def _splice(self, content: bytes) -> bytes:
        other = self.chance.choice(self.seeds)
        return content[: self._at(content)] + other[self._at(other) :]

    def _delimiters(self, content: bytes) -> bytes:
        return content.replace(
            self.chance.choice((b"|", b"^", b"~", b"&")), self.chance.choice((b"#", b"^", b"|", b"$", b""))
        )

    def _many(self, content: bytes) -> bytes:
        """Seldom what goes beyond a limit: it costs the sender more than the archive."""
        if self.chance.random() < 0.95:
            return content
        return content + CR + self.chance.choice((b"NTE|1||x\r" * 1500, b"OBX|1|" + b"x~" * 300, b"ZZZ" + b"|" * 5000))
