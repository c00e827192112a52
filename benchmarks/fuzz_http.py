"""Requests as no client makes them, at every route: does the web server answer each in its own words?

`python -m benchmarks.fuzz_http [--seconds 600] [--seed 1] [--url http://… --token …]`: requests made from the archive's own
OpenAPI document by schemathesis, valid ones and invalid ones, for objects that are there and for others; then nasty strings in
every variable part of every path, every query parameter and the headers. Without `--url` it starts an archive of its own.
Prints each fault once, with a `curl` that shows it; the exit status is 1 if there is one: an answer of 500 or above that the
document does not name, an error in another shape than RFC 9457, a body that is not as the document says, a patient in an error.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import shlex
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import content_type_conformance, response_schema_conformance
from schemathesis.core.failures import FailureGroup

from charrua_core.testing.objects import a_study, part10

PATIENT = {"PatientName": "Kanarienvogel^Gelb", "PatientID": "CANARY4711", "AccessionNumber": "CANARYACC"}
EXAMPLES = 5  # of an operation in each turn
UIDS = ("study", "series", "instance", "workitem")
NASTY = (
    "",
    " ",
    "'",
    "' OR '1'='1' --",
    "1; drop table core.study; --",
    "%",
    "_",
    "*",
    "\\",
    "\0",
    "1.2\0.3",
    "\r\nX-Injected: yes",
    "../../../../etc/passwd",
    "..%2f..%2fetc%2fpasswd",
    "/etc/passwd",
    "${jndi:ldap://127.0.0.1/a}",
    "{{7*7}}",
    "<script>alert(1)</script>",
    "\u202e\u0000\ufeff",
    "𝕊𝕥𝕦𝕕𝕪",
    "ﷺ" * 50,
    "A" * 5000,
    "1" * 65,
    "1." * 400 + "1",
    "-1",
    "0",
    "99999999999999999999999999",
    "1e309",
    "NaN",
    "null",
    "true",
    "[]",
    "1,2,,3",
    "1,1,1,1",
    "0008,0018",
    "00080018.00080018",
    "[" * 2000,
    "*/*;q=2",
    'multipart/related; type="application/dicom"; transfer-syntax=*',
    "image/jpeg;q=0, */*;q=0",
    "bytes=0-0,1-1,2-2",
    "bytes=99999999999999999999-",
)
HEADERS = (
    "Accept",
    "Accept-Charset",
    "Content-Type",
    "Content-Encoding",
    "Range",
    "If-None-Match",
    "If-Range",
    "Cookie",
)
HEADERS += ("Authorization", "Origin", "X-Forwarded-For", "Forwarded", "Host")


# -- one request and what is wrong with its answer -----------------------------------------------------------------------
@dataclass
class Faults:
    """What was found, each kind of it once."""

    url: str
    documented: Mapping[str, Any]
    found: dict[tuple[str, ...], str] = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)

    def judge(self, label: str, answer: httpx.Response, curl: Callable[[], str]) -> None:
        """Keep what is wrong with an answer to the operation of this label."""
        self.statuses[answer.status_code] += 1
        for fault in self._of(label, answer):
            self.keep(label, f"{answer.status_code}: {fault}", f"{curl()}\n    {answer.text[:300]!r}")

    def keep(self, label: str, fault: str, shown: str) -> None:
        """Keep a fault, if it is the first of its kind."""
        if (label, fault) not in self.found:
            self.found[label, fault] = f"{label}: {fault}\n    {shown}"
            print(self.found[label, fault], flush=True)

    def _of(self, label: str, answer: httpx.Response) -> Iterator[str]:
        method, path = label.split(" ", 1)
        responses = self.documented["paths"].get(path, {}).get(method.lower(), {}).get("responses", {})
        status, said = answer.status_code, answer.text
        if status >= 500 and str(status) not in responses:
            yield "the server failed"
        if status >= 400 and not _is_problem(answer):
            kind = answer.headers.get("content-type", "").partition(";")[0]
            if kind not in responses.get(str(status), {}).get("content", {}) and method != "HEAD":
                yield f"an error as {kind or 'nothing'}"
        if status >= 400 and any(word in said for word in PATIENT.values()):
            yield "a patient in an error"
        if "Traceback" in said or re.search(r'File "/', said):
            yield "a trace of the program"
        if "x-injected" in answer.headers:
            yield "a header that the request has made"


def _is_problem(answer: httpx.Response) -> bool:
    if answer.headers.get("content-type") != "application/problem+json":
        return False
    told = answer.json()
    texts = all(isinstance(told.get(name), str) for name in ("type", "title", "detail"))
    return texts and told.get("status") == answer.status_code


# -- what is sent --------------------------------------------------------------------------------------------------------
def _bodies(media: str, sample: bytes) -> st.SearchStrategy[bytes]:
    """Bodies of a media type, damaged or whole."""
    cut = st.integers(0, len(sample)).map(lambda at: sample[:at])
    flipped = st.tuples(st.integers(0, len(sample) - 1), st.binary(min_size=1, max_size=4)).map(
        lambda one: sample[: one[0]] + one[1] + sample[one[0] + len(one[1]) :]
    )
    raw = st.one_of(st.binary(max_size=600), cut, flipped, st.just(sample))
    if "json" in media:
        element = st.fixed_dictionaries(
            {"vr": st.sampled_from(["LO", "SQ", "US", "PN", "XX", "OB"])}, optional={"Value": _json()}
        )
        dataset = st.dictionaries(
            st.sampled_from(["00100010", "00741000", "00081195", "0020000D", "x", "7FE00010"]), element
        )
        return st.one_of(_json(), st.lists(dataset, max_size=3), dataset).map(_encoded) | st.binary(max_size=50)
    if media.startswith("multipart"):
        part = b"--b\r\nContent-Type: application/dicom\r\n\r\n"
        return raw.map(lambda content: part + content + b"\r\n--b--\r\n") | raw
    return raw


def _json() -> st.SearchStrategy[Any]:
    simple = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
    return st.recursive(
        simple, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    )


def _encoded(value: Any) -> bytes:
    import json

    return json.dumps(value).encode()


@dataclass
class Fuzz:
    """An archive, its document and what is in it."""

    client: httpx.Client
    document: dict[str, Any]
    known: Mapping[str, str]
    sample: bytes
    faults: Faults

    @classmethod
    def of(cls, url: str, token: str) -> Fuzz:
        """Store a study, and learn the routes."""
        headers = {"Authorization": f"Bearer {token}"}
        client = httpx.Client(base_url=url, headers=headers, timeout=60)
        document = client.get("/openapi.json").json()
        images = a_study(images=2, **PATIENT)
        for image in images:
            stored = client.post(
                "/dicom-web/studies", content=part10(image), headers={"Content-Type": "application/dicom"}
            )
            stored.raise_for_status()
        image = images[0]
        known = {"study": image.StudyInstanceUID, "series": image.SeriesInstanceUID, "instance": image.SOPInstanceUID}
        return cls(client, document, known, part10(image), Faults(url, document))

    # -- by schemathesis -------------------------------------------------------------------------------------------------
    def generate(self, until: float, number: int) -> None:
        """Make turns at all operations until the time is over."""
        bare = {**self.document, "paths": {path: _bodiless(item) for path, item in self.document["paths"].items()}}
        schema = schemathesis.openapi.from_dict(bare)
        operations = [result.ok() for result in schema.get_all_operations()]
        turn = 0
        while time.monotonic() < until:
            for operation in operations:
                for mode in GenerationMode:
                    if time.monotonic() < until:
                        self._turn(operation, mode, number + turn)
            turn += 1

    def _turn(self, operation: Any, mode: GenerationMode, number: int) -> None:
        told = self.document["paths"][operation.path][operation.method]
        media = list(told.get("requestBody", {}).get("content", {}))
        names = {one["name"] for one in told.get("parameters", []) if one["in"] == "path"} & set(UIDS)
        # Half of the turns name an object that is there: what lies behind the look-up is reached.
        fixed = {name: self.known.get(name, "1.2.3") for name in names} if number % 2 else {}
        strategy = operation.as_strategy(generation_mode=mode, **({"path_parameters": fixed} if fixed else {}))
        bodies = (
            st.sampled_from(media).flatmap(lambda one: st.tuples(st.just(one), _bodies(one, self.sample)))
            if media
            else st.none()
        )

        @seed(number)
        @settings(
            max_examples=EXAMPLES,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(strategy, bodies)
        def ask(case: Any, body: tuple[str, bytes] | None) -> None:
            self._ask(f"{operation.method.upper()} {operation.path}", case, body)

        try:
            ask()
        except Exception as error:
            if "Unsatisfiable" not in type(error).__name__:
                raise

    def _ask(self, label: str, case: Any, body: tuple[str, bytes] | None) -> None:
        given_ = case.as_transport_kwargs(base_url=str(self.client.base_url))
        query = _pairs(given_.get("params") or {})
        kind = body[0] if body else ""
        headers = {"Content-Type": f"{kind}; boundary=b" if kind.startswith("multipart") else kind} if kind else {}
        content = body[1] if body else None
        self._send(
            label, given_["method"], f"{given_['url']}?{query}" if query else given_["url"], headers, content, case
        )

    def _send(
        self, label: str, method: str, url: str, headers: Mapping[str, str], content: bytes | None, case: Any = None
    ) -> None:
        request = self.client.build_request(method, url, headers=dict(headers), content=content)

        def curl() -> str:
            told = " ".join(f"-H {shlex.quote(f'{name}: {value}')}" for name, value in headers.items())
            escaped = "".join(rf"\x{byte:02x}" for byte in (content or b"")[:400])
            sent = f" --data-binary $'{escaped}'" if content else ""
            return f"curl -X {method} -H 'Authorization: Bearer TOKEN' {told}{sent} {shlex.quote(str(request.url))}"

        try:
            answer = self.client.send(request)
        except httpx.LocalProtocolError:
            return  # nothing that can be sent
        except httpx.HTTPError as error:
            self.faults.keep(label, f"no answer: {type(error).__name__}: {error}", curl())
            return
        self.faults.judge(label, answer, curl)
        if case is not None and answer.status_code < 400:
            self._conforms(label, answer, case, curl)

    def _conforms(self, label: str, answer: httpx.Response, case: Any, curl: Callable[[], str]) -> None:
        try:
            case.validate_response(answer, checks=[content_type_conformance, response_schema_conformance])
        except FailureGroup as group:
            for failure in group.exceptions:
                self.faults.keep(label, f"{type(failure).__name__}", f"{curl()}\n    {str(failure)[:600]}")

    # -- by hand ---------------------------------------------------------------------------------------------------------
    def nasty(self, until: float, number: int) -> None:
        """Put the strings into everything, in an order of chance, until the time is over."""
        cases = [
            case
            for path, item in self.document["paths"].items()
            for method in item
            for case in self._cases(path, method)
        ]
        random.Random(number).shuffle(cases)
        for label, method, url, headers in cases:
            if time.monotonic() > until:
                return
            self._send(label, method, url, headers, b"x" if method in ("POST", "PUT") else None)

    def _cases(self, path: str, method: str) -> Iterator[tuple[str, str, str, dict[str, str]]]:
        label = f"{method.upper()} {path}"
        told = self.document["paths"][path][method].get("parameters", [])
        within = [one["name"] for one in told if one["in"] == "path"]
        plain = {name: quote(self.known.get(name, "1"), safe="") for name in within}
        for text in NASTY:
            word = quote(text, safe="", errors="surrogatepass")
            for name in within:
                yield label, method.upper(), path.format_map({**plain, name: word}), {}
            for one in told:
                if one["in"] == "query":
                    yield label, method.upper(), f"{path.format_map(plain)}?{one['name']}={word}", {}
            yield label, method.upper(), f"{path.format_map(plain)}?{word}={word}", {}
            for header in HEADERS:
                if text.isprintable() and text.isascii():
                    yield label, method.upper(), path.format_map(plain), {header: text}


def _bodiless(item: Mapping[str, Any]) -> dict[str, Any]:
    return {
        method: {key: value for key, value in told.items() if key != "requestBody"} for method, told in item.items()
    }


def _pairs(query: Mapping[str, Any]) -> str:
    flat = [(name, one) for name, value in query.items() for one in (value if isinstance(value, list) else [value])]
    return urlencode([(name, str(value)) for name, value in flat], errors="surrogatepass")


# -- the command ---------------------------------------------------------------------------------------------------------
def run(url: str, token: str, seconds: float, number: int) -> int:
    """Ask for so many seconds; give the number of faults."""
    warnings.simplefilter("ignore")
    fuzz = Fuzz.of(url, token)
    began = time.monotonic()
    fuzz.nasty(began + seconds / 2, number)
    fuzz.generate(began + seconds, number)
    told = ", ".join(f"{count} × {status}" for status, count in sorted(fuzz.faults.statuses.items()))
    print(f"{sum(fuzz.faults.statuses.values())} requests: {told}; {len(fuzz.faults.found)} faults")
    return len(fuzz.faults.found)


async def _own_archive(seconds: float, number: int) -> int:
    from charrua_core.testing.database import postgresql
    from charrua_core.testing.running import Archive

    with tempfile.TemporaryDirectory() as name, postgresql(Path(name)) as server:
        ports = {"CHARRUA_DICOM_HOST": "127.0.0.1", "CHARRUA_DICOM_PORT": "0", "CHARRUA_WEB_PORT": "0"}
        ports["CHARRUA_HL7_PORT"] = "0"
        places = {"CHARRUA_DATABASE_URL": server.fresh(), "CHARRUA_DATA_DIR": f"{name}/data"}
        archive = Archive({**ports, **places, "CHARRUA_STORAGE_RESERVE_BYTES": "0"}, Path(name) / "log")
        await archive.start(preloaded=False)
        try:
            return await asyncio.to_thread(run, archive.url, await archive.token("Admin"), seconds, number)
        finally:
            await archive.stop()
            errors = [line for line in archive.told().splitlines() if " ERROR " in line or "Error:" in line]
            print("\n".join(errors[-20:]))


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--url")
    parser.add_argument("--token", default="")
    asked = parser.parse_args()
    if asked.url:
        return min(run(asked.url, asked.token, asked.seconds, asked.seed), 1)
    return min(asyncio.run(_own_archive(asked.seconds, asked.seed)), 1)


if __name__ == "__main__":
    sys.exit(main())
