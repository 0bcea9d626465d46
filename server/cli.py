"""The command `hazina`."""

import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import typer
import uvloop
from pydantic import ValidationError

from core.errors import DomainError
from server.settings import Settings

Result = TypeVar("Result")

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Hazina: multi-tenant payments. Settings come from HAZINA_… in the environment; see .env.example.",
)

Port = Annotated[
    int, typer.Option(min=1, max=65_533, help="The server's port; the sandbox takes the next two.")
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
    from server.serving import serve_api  # noqa: PLC0415 - see `up`

    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    settings = _settings().model_copy(update=given)
    _run(serve_api(settings))


@app.command()
def worker() -> None:
    """Run the jobs: provider calls, messages of providers, provisioning, mail."""
    from server.serving import serve_jobs  # noqa: PLC0415 - see `up`

    _run(serve_jobs(_settings()))


@app.command()
def sandbox(port: Port = 8001, mail_port: int = 8002) -> None:
    """Stand in for every provider, and take mail, on this machine alone."""
    from server.sandboxing import serve_sandbox  # noqa: PLC0415 - see `up`

    _run(serve_sandbox(_settings().data_dir, port, mail_port))


@app.command()
def schema(which: Annotated[Literal["tenant", "owner"], typer.Argument()]) -> None:
    """Print the SDL of the tenant or the owner schema."""
    from schema.sdl import print_sdl  # noqa: PLC0415 - see `up`

    sys.stdout.write(print_sdl(which))


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


def _settings() -> Settings:
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


def _run(command: Coroutine[Any, Any, Result]) -> Result:
    return uvloop.run(command)


if __name__ == "__main__":
    main()
