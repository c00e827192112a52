"""The servers that are measured, each started with a data folder of its own and ended with all its children."""

from __future__ import annotations

import http.client
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, ClassVar, NamedTuple

from benchmarks import processes, wire
from benchmarks.association import Association, AssociationLost
from benchmarks.isolation import free_port

EXAMPLE = "route_modality"
VERIFICATION = "1.2.840.10008.1.1"
_NODELAY = {"TCP_NODELAY": "1"}


class Peer(NamedTuple):
    """A destination for C-MOVE."""

    aet: str
    host: str
    port: int


# Whoever asks Charrua for more than storing must be known to it: our own client, and DCMTK's by their default titles.
_CLIENTS = tuple(Peer(aet, "127.0.0.1", 104) for aet in ("BENCH", "FINDSCU", "GETSCU", "MOVESCU"))


class NotStarted(Exception):
    """A server did not come up, or ended by itself; the message holds the end of its log."""


@dataclass
class Contestant:
    """One server under measurement; subclasses say how it is configured and started."""

    folder: Path
    peers: Sequence[Peer] = ()
    port: int = field(default_factory=free_port)
    web_port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    name: ClassVar[str]
    aet: ClassVar[str] = "ANY"
    environment: ClassVar[Mapping[str, str]] = {}
    concurrent: ClassVar[bool] = True
    most_studies: ClassVar[int] = 10**9
    exact: ClassVar[bool] = True  # keeps a data set byte for byte as it came
    web: ClassVar[str] = ""  # path of its DICOMweb services at `web_port`

    def command(self) -> list[str]:
        """Write the configuration and return what is to be run."""
        raise NotImplementedError

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        return ("127.0.0.1", self.port)

    def authorization(self) -> str:
        """The header Authorization that its DICOMweb services want, "" where they want none."""
        return ""

    @property
    def log(self) -> Path:
        """Its standard output and error."""
        return self.folder.with_suffix(".log")

    def start(self, timeout_s: float = 60.0) -> None:
        """Start it and return once it answers a C-ECHO; may be called again after `kill`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                cwd=self.folder,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._wait_for_echo(timeout_s)

    def _wait_for_echo(self, timeout_s: float) -> None:
        for _ in processes.wait_until(timeout_s, 0.02):
            if self.process is None or self.process.poll() is not None:
                break
            if self.echoes():
                return
        raise NotStarted(f"{self.name}: {self.log.read_text(errors='replace')[-2000:]}")

    def echoes(self) -> bool:
        """Whether it answers a C-ECHO."""
        context = wire.Context(VERIFICATION, ("1.2.840.10008.1.2",))
        request: wire.Command = {
            wire.AFFECTED_CLASS: VERIFICATION.encode(), wire.COMMAND: 0x0030, wire.MESSAGE_ID: 1
        }  # fmt: skip
        try:
            with Association(self.address, self.aet, [context], timeout_s=5) as association:
                association.send(VERIFICATION, request, None)
                return association.reader.message().command[wire.STATUS] == 0
        except (OSError, AssociationLost):
            return False

    def pids(self) -> list[int]:
        """Its living processes, those of its database included."""
        return processes.family(self.process.pid if self.process else -1, self.folder)

    def usage(self) -> processes.Usage:
        """What its processes used since their start."""
        return processes.usage(self.pids())

    def stop(self, timeout_s: float = 30.0) -> int:
        """End it by SIGTERM and return its exit status; what is left after that is killed."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return -signal.SIGKILL
        finally:
            self.kill()

    def kill(self) -> None:
        """SIGKILL to all its processes at once, the database's included."""
        processes.kill(self.pids())
        if self.process is not None:
            self.process.wait()


class Orthanc(Contestant):
    """Orthanc as shipped: 16 KiB PDUs, Nagle's algorithm on, files flushed, index not."""

    name = "orthanc"
    aet = "ORTHANC"
    exact = False
    options: ClassVar[Mapping[str, object]] = {}

    def command(self) -> list[str]:
        """Write orthanc.json."""
        settings: dict[str, object] = {
            "StorageDirectory": str(self.folder / "storage"),
            "IndexDirectory": str(self.folder / "index"),
            "HttpServerEnabled": False,
            "RemoteAccessAllowed": False,
            "DicomAet": self.aet,
            "DicomPort": self.port,
            "DicomModalities": {peer.aet: list(peer) for peer in self.peers},
            **{f"DicomAlwaysAllow{service}": True for service in ("Echo", "Store", "Find", "Get", "Move")},
            **self.options,
        }
        path = self.folder / "orthanc.json"
        path.write_text(json.dumps(settings))
        return ["Orthanc", str(path)]


class OrthancNoDelay(Orthanc):
    """Orthanc without Nagle's algorithm, with large PDUs and more threads; still flushes each file."""

    name = "orthanc-nodelay"
    environment = _NODELAY
    options: ClassVar[Mapping[str, object]] = {"MaximumPduLength": 131072, "DicomThreadsCount": 8}


class OrthancNoSync(OrthancNoDelay):
    """The fastest Orthanc known: as `OrthancNoDelay`, and nothing is flushed."""

    name = "orthanc-nosync"
    options: ClassVar[Mapping[str, object]] = {**OrthancNoDelay.options, "SyncStorageArea": False}


class OrthancForwarding(OrthancNoSync):
    """The fastest Orthanc known, forwarding what it stores to its first peer by a Lua script, as its documents have it."""

    name = "orthanc-forwarding"

    def command(self) -> list[str]:
        """Write orthanc.json and the script."""
        command = super().command()
        script, path = self.folder / "forward.lua", Path(command[1])
        script.write_text(f"function OnStoredInstance(id) SendToModality(id, '{self.peers[0].aet}') end\n")
        path.write_text(json.dumps({**json.loads(path.read_text()), "LuaScripts": [str(script)]}))
        return command


class OrthancWeb(OrthancNoDelay):
    """Orthanc with its HTTP server and the DICOMweb plugin; files flushed, index not."""

    name = "orthanc-web"
    web = "/dicom-web"
    options: ClassVar[Mapping[str, object]] = {
        **OrthancNoDelay.options,
        "HttpServerEnabled": True,
        "AuthenticationEnabled": False,
        "Plugins": ["/usr/share/orthanc/plugins/libOrthancDicomWeb.so"],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }

    def command(self) -> list[str]:
        """Write orthanc.json, with the HTTP server on."""
        command = super().command()
        path = Path(command[1])
        path.write_text(json.dumps({**json.loads(path.read_text()), "HttpPort": self.web_port}))
        return command


class OrthancWebNoSync(OrthancWeb):
    """The same, and nothing is flushed."""

    name = "orthanc-web-nosync"
    options: ClassVar[Mapping[str, object]] = {**OrthancWeb.options, "SyncStorageArea": False}


class Dcmrecv(Contestant):
    """DCMTK's dcmrecv: writes files, no index, one association at a time."""

    name = "dcmrecv"
    environment = _NODELAY
    concurrent = False

    def command(self) -> list[str]:
        """Take every storage class in the order of the package's profile."""
        (self.folder / "files").mkdir(exist_ok=True)
        profile = ["-xf", "/etc/dcmtk/storescp.cfg", "Default"]
        return ["dcmrecv", *profile, "-pdu", "131072", "-od", str(self.folder / "files"), str(self.port)]


class Storescp(Contestant):
    """DCMTK's storescp: writes files as received, no index, one process per association."""

    name = "storescp"
    environment = _NODELAY

    def command(self) -> list[str]:
        """Write bytes exactly as read."""
        (self.folder / "files").mkdir(exist_ok=True)
        return ["storescp", "--fork", "+B", "-pdu", "131072", "-od", str(self.folder / "files"), str(self.port)]


class Dcmqrscp(Contestant):
    """DCMTK's dcmqrscp: an archive with a flat index file."""

    name = "dcmqrscp"
    aet = "ARCHIVE"
    environment = _NODELAY
    concurrent = False  # several senders at once are answered with C000
    exact = False
    most_studies = 450  # it allows 500, deletes the oldest then, and dies soon after

    def command(self) -> list[str]:
        """Write dcmqrscp.cfg."""
        (self.folder / "db").mkdir(exist_ok=True)
        hosts = [f"{peer.aet.lower()} = ({peer.aet}, {peer.host}, {peer.port})" for peer in self.peers]
        lines = [f"NetworkTCPPort = {self.port}", "MaxPDUSize = 131072", "MaxAssociations = 32"]
        lines += ["HostTable BEGIN", *hosts, "HostTable END", "VendorTable BEGIN", "VendorTable END"]
        lines += ["AETable BEGIN", f"{self.aet} {self.folder / 'db'} RW (500, 1024mb) ANY", "AETable END", ""]
        path = self.folder / "dcmqrscp.cfg"
        path.write_text("\n".join(lines))
        return ["dcmqrscp", "-c", str(path), str(self.port)]


class Wlmscpfs(Contestant):
    """DCMTK's wlmscpfs: a worklist of files, each of them read for each query."""

    name = "wlmscpfs"
    aet = "WORKLIST"
    environment = _NODELAY

    @property
    def files(self) -> Path:
        """Where its entries lie."""
        return self.folder / self.aet

    def command(self) -> list[str]:
        """Serve the files of its AE title's folder."""
        self.files.mkdir(exist_ok=True)
        (self.files / "lockfile").touch()
        return ["wlmscpfs", "--fork", "-dhl", "-csk", "-pdu", "131072", "-dfp", str(self.folder), str(self.port)]


class Charrua(Contestant):
    """Charrua as `charrua serve` starts it, with the PostgreSQL it brings unless CHARRUA_DATABASE_URL names another."""

    name = "charrua"
    aet = "CHARRUA"
    web = "/dicom-web"
    workers: ClassVar[str | None] = None
    PASSWORD: ClassVar[str] = "an unlikely password"

    def command(self) -> list[str]:
        """`charrua serve` from this interpreter's environment."""
        return [self._program(), "serve"]

    @staticmethod
    def _program() -> str:
        return str(Path(sys.executable).with_name("charrua"))

    def _environment(self) -> dict[str, str]:
        own = {"CHARRUA_DATA_DIR": str(self.folder / "data"), "CHARRUA_DICOM_AET": self.aet}
        own |= {"CHARRUA_DICOM_HOST": "127.0.0.1", "CHARRUA_DICOM_PORT": str(self.port)}
        own |= {"CHARRUA_WEB_PORT": str(self.web_port), "CHARRUA_HL7_PORT": "0"}
        own |= {"CHARRUA_WITHOUT": EXAMPLE}  # README's command installs no examples
        return {**os.environ, **own, **({"CHARRUA_WORKERS": self.workers} if self.workers else {})}

    def start(self, timeout_s: float = 60.0) -> None:
        """Start it and return once it has printed its line `ready`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                cwd=self.folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        self._wait_for_ready(timeout_s)
        self._introduce_clients()

    def _introduce_clients(self) -> None:
        done = self.folder / "introduced"  # the archive remembers its peers, so once is enough for each folder
        if not done.exists():
            for peer in {peer.aet: peer for peer in (*_CLIENTS, *self.peers)}.values():
                self.run("peer", "add", peer.aet, peer.host, str(peer.port))
            done.touch()

    def _wait_for_ready(self, timeout_s: float) -> None:
        assert self.process is not None and self.process.stdout is not None
        lines: queue.Queue[bytes] = queue.Queue()
        threading.Thread(target=_forward, args=(self.process.stdout, lines.put), daemon=True).start()
        for _ in processes.wait_until(timeout_s):
            try:
                line = lines.get(timeout=timeout_s)
            except queue.Empty:
                break
            if line.startswith(b"ready"):
                return
            if not line:
                break
        self.kill()
        raise NotStarted(f"{self.name}: {self.log.read_text(errors='replace')[-2000:]}")

    def authorization(self) -> str:
        """A bearer token of a user made for it."""
        self.run("user", "add", "bench", "--role", "Admin", "--password-stdin", given=f"{self.PASSWORD}\n")
        return f"Bearer {self.run('token', 'create', 'bench').strip()}"

    def run(self, *arguments: str, given: str = "") -> str:
        """The standard output of another `charrua` command on the same archive."""
        command = [self._program(), *arguments]
        done = subprocess.run(
            command, env=self._environment(), input=given, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise NotStarted(f"charrua {arguments}: {done.stdout}{done.stderr}")
        return done.stdout


def _forward(stream: IO[bytes], put: Callable[[bytes], None]) -> None:
    """Hand on each line, then an empty one at the end, so that the server never waits for a reader."""
    for line in stream:
        put(line)
    put(b"")


class CharruaTwoWorkers(Charrua):
    """Charrua with two receiving processes."""

    name = "charrua-2"
    workers = "2"


class Nginx(Contestant):
    """nginx with sendfile, one worker process, serving the files of its folder `files`: the ceiling of HTTP."""

    name = "nginx"
    web: ClassVar[str] = "/files"

    def command(self) -> list[str]:
        """Write nginx.conf."""
        (self.folder / "files").mkdir(exist_ok=True)
        temporary = "".join(
            f"{kind}_temp_path {self.folder}/tmp; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        path = self.folder / "nginx.conf"
        path.write_text(
            f"daemon off; worker_processes 1; pid {self.folder}/pid; error_log {self.folder}/error.log; user root;\n"
            f"events {{ worker_connections 256; }}\n"
            f"http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; {temporary}\n"
            f"  server {{ listen 127.0.0.1:{self.web_port}; root {self.folder}; }} }}\n"
        )
        return ["nginx", "-p", str(self.folder), "-c", str(path)]

    def echoes(self) -> bool:
        """Whether it answers at all."""
        connection = http.client.HTTPConnection("127.0.0.1", self.web_port, timeout=5)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status > 0
        except OSError:
            return False
        finally:
            connection.close()

    def put(self, name: str, content: bytes) -> str:
        """Make a file; give its path in URLs."""
        path: Path = self.folder / "files" / name
        path.write_bytes(content)
        return f"{self.web}/{name}"


ALL: tuple[type[Contestant], ...] = (
    Charrua, CharruaTwoWorkers, Orthanc, OrthancNoDelay, OrthancNoSync, OrthancForwarding, OrthancWeb, OrthancWebNoSync,
    Dcmrecv, Storescp, Dcmqrscp, Nginx,
)  # fmt: skip
