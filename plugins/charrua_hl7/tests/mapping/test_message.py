"""Messages as their senders write them: delimiters, line ends, character sets, escapes, what is broken."""

from __future__ import annotations

import random
import time
from contextlib import suppress

import pytest

from charrua_hl7.errors import MessageRefused, MessageTooLarge, MessageUnreadable, ValueInvalid
from charrua_hl7.message import Message, split_batch
from charrua_hl7.texts import codec_of


def a_message(name: str = "Doe^Jane", declared: str = "", *, codec: str = "utf-8", end: str = "\r") -> bytes:
    """Give the bytes of a message whose patient has this name."""
    head = f"MSH|^~\\&|RIS|H|PACS|R|20260101||ADT^A08|1|P|2.5||||||{declared}"
    return end.join((head, f"PID|1||4711^^^H^MR||{name}", "")).encode(codec)


def named(content: bytes) -> str:
    """Give the patient's family and given name as they are read."""
    message = Message.parse(content)
    return f"{message.text('PID-5.1')} {message.text('PID-5.2')}".strip()


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", "\n\r", "\r\r\n"])
def test_segments_end_as_their_sender_ends_them(end) -> None:
    assert [one.name for one in Message.parse(a_message(end=end)).segments] == ["MSH", "PID"]


@pytest.mark.parametrize(
    ("declared", "codec", "name"),
    [
        ("", "utf-8", "Müller^Jürgen"),
        ("", "cp1252", "Müller^Jürgen"),
        ("ASCII", "cp1252", "Núñez^José"),
        ("8859/1", "iso8859-1", "Müller^Jürgen"),
        ("8859/1", "utf-8", "Müller^Jürgen"),  # declares one, sends the other
        ("8859/1", "cp1252", "O’Neill^Zoë"),
        ("8859/2", "iso8859-2", "Dvořák^Antonín"),
        ("8859/3", "iso8859-3", "Ċetta^Ġorġ"),
        ("8859/4", "iso8859-4", "Bērziņš^Jānis"),
        ("8859/5", "iso8859-5", "ТАТЬЯНА^Иванова"),
        ("8859/5", "utf-8", "ТАТЬЯНА^Иванова"),
        ("8859/6", "iso8859-6", "محمد^علي"),
        ("8859/7", "iso8859-7", "Διονυσιος^Παπας"),
        ("8859/8", "iso8859-8", "שרון^דבורה"),
        ("8859/9", "iso8859-9", "Çavuşoğlu^İnci"),
        ("8859/15", "iso8859-15", "Šimák^Œuvre"),
        ("ISO_IR 100", "iso8859-1", "Buc^Jérôme"),
        ("ISO IR6", "ascii", "Doe^Jane"),
        ("ISO IR14", "shift_jis", "ﾔﾏﾀﾞ^ﾀﾛｳ"),
        ("ISO IR87", "iso2022_jp", "山田^太郎"),
        ("ISO IR159", "iso2022_jp_2", "丂丄^太郎"),
        ("SHIFT-JIS", "shift_jis", "ソ山^表示"),  # trail bytes that are a backslash
        ("GB 18030-2000", "gb18030", "王^小东"),
        ("KS X 1001", "euc_kr", "홍^길동"),
        ("BIG-5", "big5", "許^功蓋"),  # trail bytes that are a backslash
        ("UNICODE", "utf-8", "李^明"),
        ("UNICODE UTF-8", "utf-8", "Zörb^太郎"),
        ("utf8", "utf-8", "Zörb^太郎"),
        ("UTF-8", "utf-8-sig", "Zörb^太郎"),
        ("UTF-8", "cp1252", "Zörb^Renée"),
        ("UNICODE UTF-16", "utf-16", "Zörb^太郎"),
        ("UNICODE UTF-16", "utf-16-be", "Zörb^太郎"),
        ("", "utf-16-le", "Zörb^太郎"),
        ("UNICODE UTF-32", "utf-32", "Zörb^太郎"),
        ("WINDOWS-1252", "cp1252", "O’Neill^Zoë"),
        ("windows-1251", "cp1251", "Иванова^Анна"),
        ("A SET THAT NOBODY KNOWS", "utf-8", "Zörb^太郎"),
        ("~ISO IR87", "iso2022_jp", "山田^太郎"),
    ],
)
def test_characters_are_those_of_the_sender(declared, codec, name) -> None:
    assert named(a_message(name, declared, codec=codec)) == name.replace("^", " ")


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("8859/15", "iso8859-15"),
        ("UNICODE UTF-8", "utf-8"),
        ("gb 18030-2000", "gb18030"),
        ("ISO_IR 87", "iso2022_jp_ext"),
        ("?", ""),
    ],
)
def test_a_set_is_known_however_its_name_is_written(name, codec) -> None:
    assert codec_of(name) == codec


def test_escape_sequences_switch_between_declared_sets() -> None:
    japanese = b"Yamada^Tarou~" + "山田^太郎".encode("iso2022_jp")
    content = a_message("NAME", "ASCII~ISO IR87").replace(b"NAME", japanese)
    assert Message.parse(content).text("PID-5[2].1") == "山田"
    korean = b"Hong~\x1b$)C" + "홍".encode("euc_kr") + b"^\x1b$)C" + "길동".encode("euc_kr")
    content = a_message("NAME", "ASCII~KS X 1001").replace(b"NAME", korean)
    assert Message.parse(content).text("PID-5[2].2") == "길동"


def test_a_set_that_cannot_be_read_is_no_reason_for_wrong_names() -> None:
    with pytest.raises(ValueInvalid) as refused:
        Message.parse(a_message("NAME", "CNS 11643-1992").replace(b"NAME", b"\xc4\xe3"))
    assert refused.value.location == "MSH^1^18"
    assert named(a_message("Wang^Xiao", "CNS 11643-1992")) == "Wang Xiao"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (r"a\F\b\S\c\T\d\R\e\E\f", r"a|b^c&d~e\f"),
        (r"one\.br\two\.sp\three\.ce\four", "one\ntwo\nthree\nfour"),
        (r"a \H\bold\N\ b\.in+4\.", "a bold b."),
        (r"one\X0D0A\two\X0D\\X0A\three", "one\ntwo\nthree"),
        (r"OPERA\XC7\\XC3\O", "OPERAÇÃO"),
        (r"\XC3A7\\XC3\\XA3\o", "ção"),
        (r"x\C2842\y\M00\z\Zlocal\!", "xyz!"),
        (r"C:\TEMP\file", r"C:\TEMP\file"),
        ("10\\12", "10\\12"),
        (r"\XZZ\ \X123\ .", r"\XZZ\ \X123\ ."),
        ("\\", "\\"),
        (r"\P\#", "#"),
    ],
)
def test_escapes_are_what_they_stand_for(written, read) -> None:
    assert named(a_message(written, "8859/1" if "XC7" in written else "")) == read


def test_any_delimiters_will_do() -> None:
    content = b"MSH@~&#\\%@A@B@C@D@2026@@ADT~A01@1@P@2.7\rPID@1@@7~~~H\\1.2\\ISO&8@@Do#S#e~Jo#P#hn"
    message = Message.parse(content)
    assert (message.type, message.text("PID-3[2]"), message.text("PID-3.4.2")) == ("ADT^A01", "8", "1.2")
    assert (message.text("PID-5.1"), message.text("PID-5.2")) == ("Do~e", "Jo%hn")


def test_an_escape_character_that_was_escaped_is_one() -> None:
    assert Message.parse(a_message().replace(b"^~\\&", b"^~\\\\&")).text("PID-5.2") == "Jane"


@pytest.mark.parametrize(
    "content",
    [b"", b"PID|1", b"MS|^~\\&|A", b"MSH", b"MSH|^~", b"MSHA^~\\&A", b"MSH|", b"MSH|abcd|", b"\0" * 40, b"MSH|||||||"],
)
def test_what_is_no_message_is_unreadable(content) -> None:
    with pytest.raises(MessageUnreadable) as refused:
        Message.parse(content)
    assert refused.value.acknowledgement == "AR"


def test_a_line_that_was_broken_goes_on() -> None:
    content = a_message() + b"OBX|4|ED|||^Application^PDF^Base64^JVBERi0x\nA0KJSVFT0YNCg==||||||F\rZZZ|own\r"
    message = Message.parse(content)
    assert [one.name for one in message.segments] == ["MSH", "PID", "OBX", "ZZZ"]
    assert (message.text("OBX-5.5"), message.text("OBX-11")) == ("JVBERi0x\nA0KJSVFT0YNCg==", "F")


def test_garbage_around_a_message_is_left_out() -> None:
    message = Message.parse(b"\x0b" + a_message().replace(b"\rPID", b"\r<garbage>\rPID") + b"\x1c\r")
    assert [one.name for one in message.segments] == ["MSH", "PID"]
    assert message.text("PID-5.2") == "Jane"


def test_null_is_told_from_nothing() -> None:
    message = Message.parse(a_message('""'))
    assert (message.text("PID-5"), message.text("PID-6")) == ('""', "")


def test_there_is_a_limit_to_segments_and_repetitions() -> None:
    with pytest.raises(MessageTooLarge):
        Message.parse(a_message() + b"NTE|1\r" * 1000)
    with pytest.raises(MessageTooLarge):
        Message.parse(a_message("~" * 200)).text("PID-5")


def test_a_batch_is_its_messages() -> None:
    one, two = a_message("One"), a_message("Two")
    batch = b"FHS|^~\\&|A\rBHS|^~\\&|A\r" + one + two + b"BTS|2\rFTS|1\r"
    assert split_batch(batch) == [one, two]
    assert split_batch(one + two) == [one, two]
    assert split_batch(one) == [one]
    assert split_batch(b"no message") == [b"no message"]
    wide = split_batch(batch.decode().encode("utf-16"))
    assert [named(part) for part in wide] == ["One", "Two"]


def test_a_large_message_is_read_in_time() -> None:
    content = a_message() + b"".join(b"OBX|%d|TX|A^B||" % n + b"some\\T\\text " * 80 + b"\r" for n in range(990))
    began = time.perf_counter()
    message = Message.parse(content)
    for segment in message.segments:
        segment.text("5")
    assert len(content) > 900_000
    assert time.perf_counter() - began < 2  # 0.05 s on a quiet machine; quadratic would be minutes


@pytest.mark.parametrize(
    "filler", [b"\\", b"\\X", b"\\X41", b"\\.br", b"\\Z", b"&", b"^", b"~", b"\n", b"\x1b$B", b"\xe3\x81"]
)
def test_no_text_takes_long(filler) -> None:
    content = a_message("NAME").replace(b"NAME", filler * 100_000)
    began = time.perf_counter()
    with suppress(MessageRefused):
        Message.parse(content).text("PID-5")
    assert time.perf_counter() - began < 2


def test_whatever_comes_is_read_or_refused() -> None:
    """Mutations of a message: nothing but MessageRefused is raised."""
    chance = random.Random(7)
    original = a_message("Müller^Jürgen~李^明", "8859/1~ISO IR87") + b"OBR|1|A^B|C||\\X41\\\\.br\\||||\rZDS|1.2.3"
    for _ in range(3000):
        content = bytearray(original)
        for _ in range(chance.randint(1, 6)):
            at = chance.randrange(len(content))
            content[at : at + chance.choice((0, 1, 1, 4))] = chance.choice(
                (b"\r", b"\\", b"|", b"~", b"\0", b"\xff", b"\x1b$B", b"&", b"^", chance.randbytes(3), b"\xff\xfe")
            )
        for part in split_batch(bytes(content)):
            with suppress(MessageRefused):
                message = Message.parse(part)
                assert isinstance(message.type, str)
                for segment in message.segments:
                    for number in range(len(segment.raw)):
                        segment.field(number)
