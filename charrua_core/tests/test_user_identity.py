"""Users who name themselves with a passcode when an association is opened: who is believed, and what they then may and see."""

from __future__ import annotations

from typing import Any

import pytest

from charrua_core.accounts.accounts import FIRST_NAME
from charrua_core.dicom.acceptor import AssociationRequest, UserConfirmed
from charrua_core.dicom.association import VERIFICATION
from charrua_core.dicom.pdu import ProposedContext, UserIdentity
from charrua_core.dicom.user_identity import user_of
from charrua_core.errors import NotPermitted
from charrua_core.types import Identity, RowFilter

PASSWORD = "long enough for eva"
CT = {"Modality": ["CT"]}
STRANGER = Identity("WS9", "peer", frozenset({"unknown"}), frozenset({"echo", "store"}))
SCANNER = Identity("CT1", "peer", frozenset({"known"}), frozenset({"echo", "store"}))
PORTAL = Identity(
    "PORTAL", "peer", frozenset({"known"}), frozenset({"echo", "query"}), (RowFilter({"PatientID": ("1",)}),)
)


def named(kind: int = 2, name: bytes = b"eva", passcode: bytes = PASSWORD.encode()) -> UserIdentity:
    return UserIdentity(kind, name, passcode)


async def asked(open_archive: Any, ae: Identity, user: UserIdentity | None, tls: bool = True, **settings: Any) -> Any:
    """What an archive with a user eva, who is a radiologist and sees CT, says to a request."""
    app = await open_archive(settings={"dicom_user_identity": "optional", **settings})
    await app.accounts.add("eva", "Radiologist", PASSWORD, by="test", row_filter=CT)
    return await user_of(app, AssociationRequest(ae.name, "CHARRUA", ("10.0.0.8", 5000), (), user, tls=tls), ae)


@pytest.mark.parametrize(
    ("ae", "permissions", "filters"),
    [
        (STRANGER, {"echo", "store", "query", "retrieve"}, [{"Modality": ("CT",)}]),
        (SCANNER, {"echo", "store"}, [{"Modality": ("CT",)}]),
        (PORTAL, {"echo", "query"}, [{"PatientID": ("1",)}, {"Modality": ("CT",)}]),
    ],
)
async def test_a_user_may_what_the_account_and_a_known_ae_may(open_archive, ae, permissions, filters):
    verdict = await asked(open_archive, ae, named())
    assert isinstance(verdict, UserConfirmed)
    user = verdict.identity
    assert (user.name, user.kind, user.permissions) == ("eva", "user", permissions)
    assert [one.admits for one in user.row_filters] == filters


@pytest.mark.parametrize(
    "user",
    [
        named(passcode=b"a guess"),
        named(name=b"nobody"),
        named(passcode=b""),
        named(name=b"", passcode=b""),
        named(name=b"\xff\xfe"),
        named(name=b"e\0va"),
        named(name=FIRST_NAME.encode(), passcode=b"admin"),
    ],
)
async def test_who_does_not_prove_it_is_not_let_in(open_archive, user):
    with pytest.raises(NotPermitted):
        await asked(open_archive, STRANGER, user)


async def test_a_passcode_without_tls_is_not_taken_unless_a_setting_says_so(open_archive):
    with pytest.raises(NotPermitted, match="without TLS"):
        await asked(open_archive, STRANGER, named(), tls=False)


async def test_a_passcode_without_tls_is_taken_where_a_setting_says_so(open_archive):
    taken = await asked(open_archive, STRANGER, named(), tls=False, dicom_user_identity_without_tls="on")
    assert isinstance(taken, UserConfirmed)


@pytest.mark.parametrize("user", [None, named(1), named(3), named(4), named(5)])
async def test_what_proves_nothing_gives_nothing_and_does_where_none_is_required(open_archive, user):
    assert await asked(open_archive, STRANGER, user) is STRANGER


@pytest.mark.parametrize("user", [None, named(1), named(5)])
async def test_where_a_user_is_required_nobody_comes_without(open_archive, user):
    with pytest.raises(NotPermitted, match="dicom_user_identity"):
        await asked(open_archive, STRANGER, user, dicom_user_identity="required")


async def test_where_a_user_is_required_the_machine_itself_may_ask_whether_the_archive_answers(open_archive):
    app = await open_archive(settings={"dicom_user_identity": "required"})
    verify, store = (ProposedContext(uid, ("1.2.840.10008.1.2",)) for uid in (VERIFICATION, "1.2.3"))
    for address, contexts, taken in (
        ("127.0.0.1", (verify,), True),
        ("127.0.0.1", (verify, store), False),
        ("10.0.0.8", (verify,), False),
    ):
        request = AssociationRequest("CHARRUA", "CHARRUA", (address, 5000), contexts)
        if taken:
            assert await user_of(app, request, STRANGER) is STRANGER
        else:
            with pytest.raises(NotPermitted):
                await user_of(app, request, STRANGER)


async def test_switched_off_it_is_not_looked_at(open_archive):
    assert await asked(open_archive, STRANGER, named(passcode=b"a guess"), dicom_user_identity="off") is STRANGER
