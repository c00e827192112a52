"""Acknowledgements as senders write and read: their delimiters, their character set, their version."""

from __future__ import annotations

import pytest

from charrua_hl7.errors import MessageRefused
from charrua_hl7.intake.acknowledging import Header, Own, answers
from charrua_hl7.intake.senders import is_among
from charrua_hl7.message import Message

OWN = Own("CHARRUA", "SÃO PAULO")


class Odd(MessageRefused):
    """It has | and ^ in it & more."""


def lines(msh: str, refused: MessageRefused | None = None) -> list[bytes]:
    return answers(Header.of(Message.parse(msh.encode())), OWN, 7, refused).split(b"\r")


def test_the_answer_has_the_delimiters_of_the_message_and_escapes_them_in_its_sentences() -> None:
    msh, msa, err, _ = lines("MSH#*~!%#HIS#A##B#20270101##ORM*O01#C1#P#2.5.1", Odd())
    assert msh.startswith(b"MSH#*~!%#CHARRUA#")
    assert b"#ACK*O01*ACK#A7#P#2.5.1" in msh
    assert msa == b"MSA#AE#C1#It has | and ^ in it & more."
    assert err.startswith(b"ERR##")
    *_, escaped, _ = lines("MSH|^~\\&|HIS|A||B|20270101||ORM^O01|C1|P|2.5.1", Odd())
    assert escaped.endswith(b"It has \\F\\ and \\S\\ in it \\T\\ more.|It has \\F\\ and \\S\\ in it \\T\\ more.")


@pytest.mark.parametrize(
    ("declared", "written"),
    [("8859/1", "latin-1"), ("UNICODE UTF-8", "utf-8"), ("8859/1~ISO IR87", "latin-1"), ("", "utf-8")],
)
def test_the_answer_is_in_the_character_set_of_the_message_and_says_so(declared: str, written: str) -> None:
    msh, *_ = lines(f"MSH|^~\\&|HIS|A||B|20270101||ORM^O01|C1|P|2.5.1||||||{declared}")
    assert "|SÃO PAULO|".encode(written) in msh
    assert msh.endswith(f"|2.5.1||||||{declared}".encode() if declared else b"|2.5.1")


@pytest.mark.parametrize(
    ("version", "told"), [("2.2", "ACK"), ("2.3", "ACK^O01"), ("2.3.1", "ACK^O01^ACK"), ("2.5.1^USA", "ACK^O01^ACK")]
)
def test_the_type_of_an_answer_is_as_the_version_has_it(version: str, told: str) -> None:
    msh, *_ = lines(f"MSH|^~\\&|HIS|A||B|20270101||ORM^O01|C1|P|{version}")
    assert msh.decode().split("|")[8] == told


@pytest.mark.parametrize(
    ("address", "networks", "among"),
    [
        ("10.1.2.3", ("10.1.0.0/16",), True),
        ("::ffff:10.1.2.3", ("10.1.0.0/16",), True),
        ("10.2.2.3", ("10.1.0.0/16", "10.2.2.3"), True),
        ("10.1.2.3", ("fd00::/8",), False),
        ("10.1.2.3", ("nonsense",), False),
        ("nonsense", ("0.0.0.0/0",), False),
    ],
)
def test_senders_are_known_by_their_address_or_network(address: str, networks: tuple[str, ...], among: bool) -> None:
    assert is_among(address, networks) is among
