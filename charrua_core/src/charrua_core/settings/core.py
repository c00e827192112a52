"""The settings of core itself: places, the AE, the limits of the DICOM listener, log and people."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from charrua_core.settings.declaration import Setting

PLACES = [
    Setting(
        "data_dir",
        Path,
        Path("~/charrua").expanduser(),
        help="Folder of everything that the archive keeps on this machine: its own database, the first volume, the log.",
        since="0.1",
        local=True,
    ),
    Setting(
        "database_url",
        str,
        "",
        help="PostgreSQL to use, as postgresql://user:password@host/name (15 or newer); empty: Charrua runs its own.",
        since="0.1",
        secret=True,
        local=True,
    ),
    Setting(
        "volume",
        Path,
        None,
        help="Folder that takes new images; earlier folders stay readable. Empty: volume-1 in the data folder.",
        since="0.1",
    ),
    Setting(
        "storage_reserve_bytes",
        int,
        1 << 30,
        unit="bytes",
        minimum=0,
        help="Room that is left free on the volume: below it, objects are refused as out of resources (A700H).",
        since="0.1",
        effect="now",
    ),
    Setting(
        "undo_days",
        int,
        30,
        unit="days",
        minimum=0,
        help="How long a deleted study can be had back before its files are removed.",
        since="0.1",
        effect="now",
    ),
    Setting(
        "workers",
        int,
        1,
        unit="processes",
        minimum=1,
        maximum=64,
        help="Processes that receive and serve DICOM; 1 does everything in one process.",
        since="0.1",
        local=True,
    ),
]

_LOG = [
    Setting(
        "log_level",
        int,
        1,
        minimum=0,
        maximum=2,
        help="0 errors only, 1 associations and operations as well, 2 every detail. No level shows patient data.",
        since="0.1",
        effect="now",
    ),
    Setting(
        "log_file",
        bool,
        False,
        help="Also write the log to logs/charrua.log in the data folder, kept for ten files of 10 MB.",
        since="0.1",
    ),
    Setting("log_json", bool, False, help="Write each log line as a JSON object.", since="0.1"),
]

_AE = [
    Setting(
        "dicom_aet",
        str,
        "CHARRUA",
        pattern=r"[ -\[\]-~]{1,16}",
        unit="1 to 16 ASCII characters without backslash",
        help="AE title of this archive.",
        since="0.1",
    ),
    Setting("dicom_host", str, "0.0.0.0", help="Address that the DICOM listener binds.", since="0.1", local=True),  # noqa: S104 -- modalities are other machines
    Setting(
        "dicom_port",
        int,
        11112,
        minimum=0,
        maximum=65535,
        help="Port of the DICOM listener; 0 takes a free one.",
        since="0.1",
    ),
    Setting(
        "dicom_other_aets",
        tuple,
        (),
        unit="AE titles",
        help="Further AE titles that this archive answers to, such as that of the one it took the place of.",
        since="0.1",
        effect="now",
    ),
    Setting(
        "dicom_any_called_aet",
        bool,
        False,
        help="Take associations whatever AE title they call.",
        since="0.1",
        effect="now",
    ),
    Setting(
        "verify_aets",
        bool,
        False,
        help="Only known AEs may open an association at all.",
        since="0.1",
        effect="now",
    ),
    Setting(
        "verify_addresses",
        bool,
        True,
        help="A known AE must come from the host at which it is known; from elsewhere it is taken for an unknown one. A peer "
        "whose host is `*` may come from anywhere.",
        since="0.1",
        effect="now",
    ),
    Setting(
        "unknown_aets_may",
        tuple,
        ("echo", "store"),
        choices=("echo", "store", "query", "retrieve"),
        help="What AEs that are not known may do.",
        since="0.1",
        effect="now",
    ),
]

_TLS = [
    Setting(
        "dicom_tls",
        str,
        "off",
        choices=("off", "encrypt", "request", "require"),
        help="TLS of the DICOM listener: off; encrypt, without looking at the peer's certificate; request, which checks a "
        "certificate if the peer has one; require, which takes only peers with a valid one.",
        since="0.1",
    ),
    Setting(
        "dicom_user_identity",
        str,
        "off",
        choices=("off", "optional", "required"),
        help="The user that an association names with a passcode: off ignores it; optional gives it what the account may and "
        "sees; required takes no association without.",
        since="0.1",
        effect="now",
    ),
    Setting(
        "dicom_user_identity_without_tls",
        bool,
        False,
        help="Also take passcodes over connections that are not encrypted, where anybody on the way can read them.",
        since="0.1",
        effect="now",
    ),
    Setting(
        "dicom_tls_port",
        int,
        None,
        minimum=0,
        maximum=65535,
        help="A port of its own for TLS, leaving dicom_port without; empty: dicom_port speaks what dicom_tls says.",
        since="0.1",
    ),
    Setting(
        "dicom_tls_certificate",
        Path,
        None,
        help="Certificate chain of this archive (PEM). Empty: a self-signed one, made in the data folder.",
        since="0.1",
        local=True,
    ),
    Setting("dicom_tls_key", Path, None, help="Private key of the certificate (PEM).", since="0.1", local=True),
    Setting(
        "dicom_tls_authorities",
        Path,
        None,
        help="Certificates of the authorities whose peers are trusted (PEM), for request and require.",
        since="0.1",
        local=True,
    ),
]


def _limit(name: str, default: int, minimum: int, maximum: int, text: str, unit: str = "") -> Setting:
    return Setting(name, int, default, minimum=minimum, maximum=maximum, unit=unit, help=text, since="0.1")


def _deadline(name: str, seconds: float, text: str) -> Setting:
    return Setting(name, timedelta, timedelta(seconds=seconds), minimum=0.1, maximum=86400, help=text, since="0.1")


_LIMITS = [
    _limit("dicom_max_associations", 2500, 1, 100_000, "Associations at a time, each worker process for itself."),
    _limit(
        "dicom_reserved_associations",
        50,
        0,
        10_000,
        "Of these, how many are kept for known AEs, so that strangers cannot shut them out.",
    ),
    _limit("dicom_max_pending", 600, 1, 100_000, "Connections at a time that have not yet become an association."),
    _limit(
        "dicom_max_pending_per_address",
        100,
        1,
        100_000,
        "Of these, how many from one address; one more ends the oldest of them.",
    ),
    _limit("dicom_max_pdu_bytes", 131_072, 4096, 1 << 24, "Largest PDU that peers may send.", "bytes"),
    _limit("dicom_max_object_bytes", 1 << 40, 1 << 20, 1 << 50, "Largest object that is taken.", "bytes"),
    _deadline("dicom_association_timeout", 10, "Time for a connection to become an association (ARTIM, PS3.8 9.1.5)."),
    _deadline("dicom_pdu_timeout", 30, "Time for a PDU that has begun to arrive whole."),
    _deadline("dicom_idle_timeout", 600, "An association on which nothing is asked for this long is aborted."),
    _deadline("dicom_message_timeout", 60, "Longest wait for the rest of a message, a response, or a peer to read."),
]

_PEOPLE = [
    Setting(
        "session_timeout",
        timedelta,
        timedelta(minutes=20),
        minimum=0,
        maximum=43200,
        help="How long a browser stays logged in without a request; 0: until its 12 hours are over.",
        since="0.1",
        effect="now",
    ),
    Setting(
        "password_length",
        int,
        8,
        unit="characters",
        minimum=1,
        maximum=64,
        help="Shortest password that a user may choose.",
        since="0.1",
        effect="now",
    ),
    Setting(
        "authentication_delay",
        timedelta,
        timedelta(minutes=15),
        minimum=1,
        maximum=86400,
        help="Longest wait that repeated wrong passwords bring upon a name and address.",
        since="0.1",
        effect="now",
    ),
]

_SHARING = [
    Setting(
        "share_link_validity",
        str,
        "1 day",
        choices=("1 day", "2 days", "30 days", "for ever"),
        help="How long a share link is valid where who makes it says nothing else; for ever takes allow_unlimited_links.",
        since="0.1",
        effect="now",
    ),
    Setting(
        "allow_unlimited_links",
        bool,
        False,
        help="Whether links may be made that are valid until they are revoked.",
        since="0.1",
        effect="now",
    ),
    Setting(
        "share_link_dicom",
        bool,
        False,
        help="Whether share links give DICOM objects, and with them downloads, where who makes one says nothing else; off, "
        "they show JPEG. The patient portal gives what this says.",
        since="0.1",
        effect="now",
    ),
    Setting(
        "patient_portal",
        bool,
        False,
        help="Whether patients may look at a study at /portal by their Patient ID and its Accession Number.",
        since="0.1",
        effect="now",
    ),
]

SETTINGS = [*PLACES, *_LOG, *_AE, *_TLS, *_LIMITS, *_PEOPLE, *_SHARING]
