"""`hazina migrate`: upgrade the owner database and every tenant's, and say where they stand."""

import sys
from typing import Annotated

import typer

from server.cli_running import finish, operating_settings

app = typer.Typer(no_args_is_help=True, help="Upgrade the databases, and see where they stand.")


@app.command()
def owner() -> None:
    """Bring the owner database, the catalog and the tenants' template up to date."""
    from server.preparing import prepare_platform  # noqa: PLC0415 - starts are quick

    prepared = finish(prepare_platform(operating_settings()))
    typer.echo(f"owner database at {prepared.owner_revision}, template at {prepared.tenant_revision}")


@app.command()
def tenants(
    processes: Annotated[int, typer.Option(min=1, max=8, help="How many tenants at a time.")] = 2,
) -> None:
    """Upgrade every tenant's database; broken off, it goes on where it was."""
    from server.migrating import upgrade_fleet  # noqa: PLC0415 - starts are quick

    sys.exit(finish(upgrade_fleet(operating_settings(), processes)))


@app.command()
def status() -> None:
    """Say which revision each tenant is at, and how the last upgrade went; fails while one is outdated."""
    from server.migrating import fleet_status  # noqa: PLC0415 - starts are quick

    sys.exit(finish(fleet_status(operating_settings())))
