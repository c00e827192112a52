"""`charrua routes`. Imported at every call of `charrua`: what the command needs is imported when it runs."""

from __future__ import annotations

import click

from charrua_core.cli.running import start_of, table


@click.command()
@click.option("--docs", is_flag=True, help="Print them as Markdown, by service.")
@click.option("--openapi", is_flag=True, help="Print their OpenAPI 3.1 document.")
def routes(docs: bool, openapi: bool) -> None:
    """List the routes of the web server, and the permission that each takes."""
    from charrua_core.app import App
    from charrua_web import listing
    from charrua_web.catalogue import make_table

    known = make_table(App(start_of(), (), {}))[0].routes
    if openapi:
        click.echo(listing.as_openapi(known))
    elif docs:
        click.echo(listing.as_markdown(known))
    else:
        table(listing.rows_of(known), "METHOD", "PATH", "PERMISSION", "SUMMARY")
