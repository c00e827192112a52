"""`python -m charrua_core.cli`: the same as `charrua`."""

from __future__ import annotations

from charrua_core.cli import main

main()
