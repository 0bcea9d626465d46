"""`hazina ledger`: prove a tenant's books."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from server.cli_running import operate

app = typer.Typer(no_args_is_help=True, help="Prove the books of a tenant.")


@app.callback()
def _group() -> None:
    """Keeps `verify` a word of its own while it is the only command."""


@app.command()
def verify(
    tenant: Annotated[str, typer.Argument(metavar="TENANT", help="Its code, slug or id.")],
    head: Annotated[
        Path | None, typer.Option(help="A file with a signed head that was kept, to be found in the chain.")
    ] = None,
) -> None:
    """Go over a tenant's whole ledger; name the first broken row, and fail, if there is one."""
    from rich.console import Console  # noqa: PLC0415 - starts are quick

    from server.ledger_proving import shown, verify_tenant  # noqa: PLC0415 - starts are quick

    kept_head = "" if head is None else head.read_text().strip()
    with shown(Console()) as show:
        seen = operate(lambda here: verify_tenant(here, tenant, kept_head, show))
    if seen.broken is not None:
        typer.echo(f"BROKEN: {seen.broken.message}")
        sys.exit(1)
    typer.echo(f"sound: {seen.transfers} transfers in {seen.height} blocks, {seen.entries} entries")
