"""The command `hazina`."""

import gc
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import typer
import uvloop
from pydantic import ValidationError

from core.errors import DomainError
from server import cli_ledger, cli_migrate, cli_tenants
from server.cli_running import operate, operating_settings
from server.settings import Settings
from tenancy.roles import PlatformRole

Result = TypeVar("Result")

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Hazina: multi-tenant payments. Settings come from HAZINA_… in the environment; see .env.example.",
)

app.add_typer(cli_migrate.app, name="migrate")
app.add_typer(cli_tenants.app, name="tenants")
app.add_typer(cli_ledger.app, name="ledger")

staff = typer.Typer(no_args_is_help=True, help="Accounts of the platform's own staff.")
app.add_typer(staff, name="staff")

Port = Annotated[
    int, typer.Option(min=1, max=65_532, help="The server's port; the next three are taken, too.")
]


@app.command()
def up(
    port: Port = 8000,
    data_dir: Annotated[Path, typer.Option(help="Where everything is kept.")] = Path(".hazina"),
    demo: Annotated[bool, typer.Option(help="Set up a demo business and make a payment.")] = True,  # noqa: FBT002 - typer's flags are booleans
) -> None:
    """Start everything on this machine: PostgreSQL, Redis, server, worker and provider sandbox."""
    from server.up import Options, run_up  # noqa: PLC0415 - each command imports what it needs: starts are quick

    options = Options(port, data_dir.absolute(), "yes" if demo else "no")
    sys.exit(_run(run_up(options, say)))


@app.command()
def server(
    host: Annotated[str | None, typer.Option(help="The address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="The port to listen on.")] = None,
) -> None:
    """Serve the GraphQL schemas, the hooks, probes and metrics."""
    _put_off_garbage()
    from server.serving import serve_api  # noqa: PLC0415 - see `up`
    from server.telemetry import telemetry  # noqa: PLC0415 - see `up`

    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    settings = read_settings().model_copy(update=given)
    with telemetry(settings, "hazina-server"):
        _run(serve_api(settings))


@app.command()
def worker() -> None:
    """Run the jobs: provider calls, messages of providers, provisioning, mail."""
    _put_off_garbage()
    from server.serving import serve_jobs  # noqa: PLC0415 - see `up`
    from server.telemetry import telemetry  # noqa: PLC0415 - see `up`

    settings = read_settings()
    with telemetry(settings, "hazina-worker"):
        _run(serve_jobs(settings))


@app.command()
def sandbox(port: Port = 8001, mail_port: int = 8002) -> None:
    """Stand in for every provider, and take mail, on this machine alone."""
    from server.sandboxing import serve_sandbox  # noqa: PLC0415 - see `up`

    _run(serve_sandbox(read_settings().data_dir, port, mail_port))


@app.command()
def schema(which: Annotated[Literal["tenant", "owner"], typer.Argument()]) -> None:
    """Print the SDL of the tenant or the owner schema."""
    from schema.sdl import print_sdl  # noqa: PLC0415 - see `up`

    sys.stdout.write(print_sdl(which))


@app.command()
def doctor() -> None:
    """Check what would keep this machine from serving."""
    from server.doctor import examine  # noqa: PLC0415 - see `up`

    async def show() -> int:
        troubles = 0
        async for finding in examine(operating_settings()):
            say(f"{'ok     ' if finding.trouble is None else 'TROUBLE'}  {finding.name}: {finding.seen}")
            if finding.trouble is not None:
                troubles += 1
                say(f"         {finding.trouble}")
        return troubles

    sys.exit(1 if _run(show()) else 0)


@app.command()
def documents(
    which: Annotated[Literal["tenant", "owner"], typer.Argument(help="The schema they are for.")],
    files: Annotated[list[Path], typer.Argument(help="Files with one GraphQL document each.")],
) -> None:
    """Let clients send the SHA-256 of these documents in place of their text."""
    from server.trusting import trust_documents  # noqa: PLC0415 - see `up`

    texts = [(file, file.read_text()) for file in files]
    hashes = operate(lambda here: trust_documents(here, which, texts))
    for digest, (file, _) in zip(hashes, texts, strict=True):
        say(f"{digest}  {file}")


@staff.command("add")
def staff_add(
    email: str,
    name: Annotated[str, typer.Option(help="How they are shown to others.")] = "",
    role: Annotated[PlatformRole, typer.Option(help="What they may do.")] = PlatformRole.SUPPORT,
) -> None:
    """Open an account for a member of the platform's staff; asks for the password."""
    from server.staffing import add_staff  # noqa: PLC0415 - see `up`

    password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    operate(lambda here: add_staff(here.services.owner, email, name or email, password, role))
    say(f"{email} may sign in on /owner/graphql as {role.value}.")


def say(line: str) -> None:
    """Tell the person or script at the other end, at once. Whether anybody listens does not matter."""
    try:
        print(line, flush=True)  # noqa: T201 - the command's output
    except BrokenPipeError:
        sys.stdout = open("/dev/null", "w")  # noqa: PTH123, SIM115 - stays open to the end


def main() -> None:
    """Run the command, and show refusals as one line with what to do."""
    try:
        app()
    except DomainError as refusal:
        sys.exit(refusal.message)


def read_settings() -> Settings:
    """The environment's settings; ends the process with what is wrong with them."""
    from server.logs import configure_logs  # noqa: PLC0415 - see `up`

    try:
        settings = Settings()
    except ValidationError as error:
        problems = "\n".join(
            f"  {fault['loc'][0] if fault['loc'] else ''}: {fault['msg']}" for fault in error.errors()
        )
        sys.exit(f"The settings can't be used:\n{problems}")
    configure_logs(settings.log_format, settings.log_level)
    return settings


def _put_off_garbage() -> None:
    """Until `serving` settles the heap: imports leave none, and looking for it takes a sixth of a start."""
    gc.disable()


def _run(command: Coroutine[Any, Any, Result]) -> Result:
    return uvloop.run(command)


if __name__ == "__main__":
    main()
