"""The rooms of the house: who may import whom (docs/decisions.md says why)."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CORE = ROOT / "charrua_core" / "src" / "charrua_core"
PLUGINS = sorted((ROOT / "plugins").glob("*/src/*")) + sorted((ROOT / "examples").glob("*/src/*"))

# A module of core imports from its own line and the lines above it.
ROOMS = [
    {"types", "errors", "faults", "tables", "addresses"},
    {"settings", "hookspecs"},
    {"metrics"},
    {"budgets", "implementation", "hooks", "postgresql", "db", "migrations", "storage", "logs"},
    {"changes", "jobs", "accounts", "audit", "peers", "preferences", "trouble"},
    {"reports"},
    {"archive", "imaging"},
    {"dicom"},
    {"sending", "shares"},
    {"services", "app"},
    {"cli", "web", "testing"},
    {"builtin"},
]
RANK = {room: rank for rank, rooms in enumerate(ROOMS) for room in rooms}
CODECS = {"numpy", "pylibjpeg", "imagecodecs", "PIL", "openjpeg", "rle", "typst"}


def imports(path: Path) -> Iterator[tuple[str, list[str], int]]:
    """Module, names and line of every import that runs: those for type checkers alone are left out."""
    waiting: list[ast.AST] = [ast.parse(path.read_text())]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
            waiting.extend(node.orelse)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, [], node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module, [alias.name for alias in node.names], node.lineno
        else:
            waiting.extend(ast.iter_child_nodes(node))


def modules(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*.py")) if "template" not in path.parts]


def room(path: Path) -> str:
    return path.relative_to(CORE).with_suffix("").parts[0]


def test_every_room_of_core_has_its_place() -> None:
    assert {room(path) for path in modules(CORE)} - {"__init__", "__main__"} <= set(RANK)


@pytest.mark.parametrize("path", modules(CORE), ids=lambda path: str(path.relative_to(CORE)))
def test_a_module_of_core_imports_only_from_earlier_rooms(path: Path) -> None:
    if path.parent == CORE and path.stem in {"__init__", "__main__"}:
        return
    later = [
        f"line {line}: {module} {names}"
        for module, names, line in imports(path)
        for target in ([module.split(".")[1]] if module.startswith("charrua_core.") else names)
        if module.split(".")[0] == "charrua_core" and RANK.get(target, 0) > RANK[room(path)]
    ]
    assert later == []


@pytest.mark.parametrize("path", modules(CORE), ids=lambda path: str(path.relative_to(CORE)))
def test_core_imports_no_plugin(path: Path) -> None:
    plugins = {plugin.name for plugin in PLUGINS}
    assert [module for module, _, _ in imports(path) if module.split(".")[0] in plugins] == []


@pytest.mark.parametrize("path", modules(CORE), ids=lambda path: str(path.relative_to(CORE)))
def test_codecs_are_touched_in_the_imaging_room_alone(path: Path) -> None:
    if room(path) != "imaging":
        assert [module for module, _, _ in imports(path) if module.split(".")[0] in CODECS] == []


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda plugin: plugin.name)
def test_a_plugin_imports_no_other_plugin(plugin: Path) -> None:
    others = {other.name for other in PLUGINS} - {plugin.name}
    found = [module for path in modules(plugin) for module, _, _ in imports(path) if module.split(".")[0] in others]
    assert found == []


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda plugin: plugin.name)
def test_a_plugin_uses_public_names_of_core_alone(plugin: Path) -> None:
    private = [
        f"{path.name}:{line} {module} {names}"
        for path in modules(plugin)
        for module, names, line in imports(path)
        if module.split(".")[0] == "charrua_core" and any(part.startswith("_") for part in [*module.split("."), *names])
    ]
    assert private == []


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda plugin: plugin.name)
def test_the_face_of_a_plugin_holds_its_hook_implementations_and_nothing_else(plugin: Path) -> None:
    body = ast.parse((plugin / "__init__.py").read_text()).body
    functions = [node for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert functions, "a plugin without a hook does nothing"
    for function in functions:
        assert any("hookimpl" in ast.unparse(mark) for mark in function.decorator_list), function.name
    rest = [node for node in body if node not in functions]
    light = (ast.Import, ast.ImportFrom, ast.Expr, ast.If)
    assert [ast.unparse(node) for node in rest if not isinstance(node, light)] == []
    heavy = [
        ast.unparse(node)
        for node in rest
        if isinstance(node, ast.Import | ast.ImportFrom)
        and (getattr(node, "module", None) or node.names[0].name)
        not in {"__future__", "typing", "collections.abc", "charrua_core.hookspecs", "charrua_core.types"}
    ]
    assert heavy == []


def test_a_server_that_decodes_nothing_loads_no_codec_of_imaging() -> None:
    # pydicom itself loads numpy, Pillow and pylibjpeg's packages where they are installed.
    loaded = "import sys, charrua_core.app, charrua_core.builtin, charrua_core.cli; print(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert "imagecodecs" not in told.stdout.split()
