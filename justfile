# The helpers of a developer: `uv run just` lists them.

# uv tells its own place to what it runs, wherever it was installed.
uv := env("UV", "uv")

_list:
    @just --list

# Everything that the tests need, in .venv
init:
    {{ uv }} sync

# The tests, or those that match an expression
test *expression:
    {{ uv }} run pytest -n auto {{ if expression == "" { "" } else { "-k '" + expression + "'" } }}

# Formatter, linter, types, spelling, and documents against the code
lint: types
    {{ uv }} run ruff format --check .
    {{ uv }} run ruff check .
    {{ uv }} run codespell README.md CHANGELOG.md docs charrua_core/src plugins examples benchmarks
    {{ uv }} run cog --check docs/*.md

# The type checker
types:
    {{ uv }} run mypy charrua_core/src plugins/charrua_storescp/src plugins/charrua_qr/src plugins/charrua_ups/src plugins/charrua_web/src plugins/charrua_routing/src plugins/charrua_ohif/src plugins/charrua_hl7/src examples/charrua_route_modality/src

# Write the formatter's and the documents' changes
write:
    {{ uv }} run ruff format .
    {{ uv }} run ruff check --fix .
    {{ uv }} run cog -r docs/*.md

# An archive to play with, in ./charrua-data
serve:
    {{ uv }} run charrua serve

# Write new words of the pages into the catalogues (translations/*.po of each plugin), where they wait to be translated
words:
    #!/usr/bin/env bash
    set -euo pipefail
    for plugin in charrua_web charrua_routing charrua_hl7; do
        cd plugins/$plugin
        {{ uv }} run pybabel -q extract -F ../../babel.cfg -k t -k Page:5 -k Navigation:2 -k StudyAction:1 --no-wrap \
            --add-location=file --sort-output -o words.pot .
        for language in es pt; do
            catalogue=src/$plugin/translations/$language.po
            [ -f $catalogue ] || {{ uv }} run pybabel -q init -i words.pot -o $catalogue -l $language
            {{ uv }} run pybabel -q update --no-fuzzy-matching --ignore-obsolete --omit-header --no-wrap -i words.pot -o $catalogue -l $language
        done
        rm words.pot
        cd ../..
    done
