"""The access matrix: routes × callers × objects inside and outside a caller's row filter, from the table of routes itself.

A cell is one request and what may come of it. A plugin's tests may run it for the plugin's own routes:

    matrix = Matrix(callers, {kind: study for …}, recipes)
    cells = matrix.cells(routes)
    await modality.give(matrix.objects)
    failures = judged(await matrix.run(archive.url, cells))
"""

from __future__ import annotations

from charrua_core.testing.access.cells import Answer, Ask, Cell
from charrua_core.testing.access.matrix import Answers, Matrix, Recipe, judged
from charrua_core.testing.access.shelf import KINDS, Caller, Study, Target, a_shelved_study

__all__ = [
    "KINDS",
    "Answer",
    "Answers",
    "Ask",
    "Caller",
    "Cell",
    "Matrix",
    "Recipe",
    "Study",
    "Target",
    "a_shelved_study",
    "judged",
]
