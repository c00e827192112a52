from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from pydicom.dataset import Dataset

from charrua_core.archive.datasets.header import scan
from charrua_core.archive.datasets.part10 import read_file_meta
from charrua_core.imaging.documents import StoredFile
from charrua_core.testing.objects import part10
from charrua_core.testing.outside import DATA
from charrua_core.types import DicomJson

Loaded = tuple[DicomJson, StoredFile]


def load(path: Path) -> Loaded:
    """The header that the index keeps of a file, and where it lies."""
    meta = read_file_meta(path)
    size = path.stat().st_size
    with open(path, "rb") as file:
        header = scan(file.fileno(), meta.transfer_syntax_uid, dataset_offset=meta.dataset_offset, size=size)
    return orjson.loads(header.json), StoredFile(str(path), meta.dataset_offset, size, meta.transfer_syntax_uid)


@pytest.fixture
def real() -> Callable[[str], Loaded]:
    """A file of the shared data."""
    return lambda name: load(DATA / name)


@pytest.fixture
def stored(tmp_path: Path) -> Callable[[Dataset], Loaded]:
    """An object as it is stored."""

    def store(dataset: Dataset) -> Loaded:
        path = tmp_path / f"{dataset.SOPInstanceUID}.dcm"
        path.write_bytes(part10(dataset))
        return load(path)

    return store
