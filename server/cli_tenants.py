"""`hazina tenants`: make, list, suspend, resume and delete tenants."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from core.tenant import TenantKind, TenantStatus
from server.cli_running import operate

app = typer.Typer(no_args_is_help=True, help="Make, list, suspend, resume and delete tenants.")

Name = Annotated[str, typer.Argument(metavar="TENANT", help="Its code, slug or id.")]
Reason = Annotated[str, typer.Option(help="Why; it goes into the audit log.")]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="The business's name.")],
    *,
    slug: Annotated[str | None, typer.Option(help="Its subdomain; made from the name if left out.")] = None,
    kind: Annotated[TenantKind, typer.Option()] = TenantKind.SMALL_BUSINESS,
    country: Annotated[str, typer.Option(help="ISO 3166, two capitals.")] = "KE",
    tier: Annotated[str, typer.Option()] = "free",
    owner: Annotated[str | None, typer.Option(help="The e-mail address of its owner.")] = None,
    reason: Reason = "created by the operator",
) -> None:
    """Register a business and make its database."""
    from owner_db.tenants.registering import NewTenant  # noqa: PLC0415 - starts are quick
    from server.operating import create_tenant  # noqa: PLC0415 - starts are quick

    new = NewTenant(name=name, kind=kind, country=country, slug=slug, tier=tier)
    tenant = operate(lambda here: create_tenant(here, new, owner_email=owner, reason=reason))
    typer.echo(f"{tenant.code} {tenant.slug} is {tenant.status}")


@app.command(name="list")
def list_(
    status: Annotated[TenantStatus | None, typer.Option(help="Only those in this state.")] = None,
) -> None:
    """List tenants, the oldest first."""
    from server.operating import listed_tenants  # noqa: PLC0415 - starts are quick

    tenants = operate(lambda here: listed_tenants(here, status))
    for tenant in tenants:
        why = f"  {tenant.status_reason}" if tenant.status_reason else ""
        typer.echo(
            f"{tenant.code}  {tenant.status:<16}  {tenant.revision or '-':<14}"
            f"  {tenant.slug}  {tenant.name}{why}"
        )
    typer.echo(f"{len(tenants)} tenants", err=True)


@app.command()
def suspend(tenant: Name, reason: Reason) -> None:
    """Refuse a tenant's requests from now on."""
    from server.operating import suspend_tenant  # noqa: PLC0415 - starts are quick

    row = operate(lambda here: suspend_tenant(here, tenant, reason))
    typer.echo(f"{row.code} {row.slug} is {row.status}")


@app.command()
def resume(tenant: Name, reason: Reason) -> None:
    """Serve a suspended tenant again."""
    from server.operating import resume_tenant  # noqa: PLC0415 - starts are quick

    row = operate(lambda here: resume_tenant(here, tenant, reason))
    typer.echo(f"{row.code} {row.slug} is {row.status}")


@app.command()
def delete(
    tenant: Name,
    *,
    reason: Reason,
    confirm: Annotated[str | None, typer.Option(help="The code, for scripts.")] = None,
    purge: Annotated[bool, typer.Option(help="Drop the database now instead of after 30 days.")] = False,
    export: Annotated[bool, typer.Option(help="Export its data first.")] = True,
    own_money_settled: Annotated[
        bool, typer.Option("--own-money-settled", help="Its own short codes' balances don't count as open.")
    ] = False,
    export_dir: Annotated[Path, typer.Option(help="Where the export goes.")] = Path("exports"),
) -> None:
    """Close a tenant; its database is kept for 30 days, or dropped at once with --purge.

    Refused while a balance, hold, payment or payout is open. A closed tenant is deleted by running
    this again once its time is over.
    """
    from server.deleting import Deletion, delete_tenant  # noqa: PLC0415 - starts are quick
    from server.operating import OwnMoney  # noqa: PLC0415 - starts are quick

    how = Deletion(
        reason=reason,
        drop="now" if purge else "when_due",
        export_dir=export_dir if export else None,
        own_money=OwnMoney.SETTLED if own_money_settled else OwnMoney.COUNTS,
    )
    operate(lambda here: delete_tenant(here, tenant, how, confirmed=_confirmed(confirm), say=typer.echo))


def _confirmed(given: str | None) -> Callable[[str, str], bool]:
    """Whether whoever runs this means this very tenant: they write its code."""

    def by_code(code: str, name: str) -> bool:
        if given is None and not sys.stdin.isatty():
            return False
        typed = given if given is not None else typer.prompt(f"To delete {name}, type its code")
        return bool(typed.strip().upper() == code)

    return by_code
