"""The sandbox as a process of its own; it knows nothing of the platform."""

from pathlib import Path

import uvicorn

from integrations.sandbox.app import create_sandbox
from integrations.sandbox.settings import SandboxSettings

STOP_WAIT_S = 2


async def serve_sandbox(data_dir: Path, port: int, mail_port: int) -> None:
    """Stand in for the providers, and take mail, on loopback until SIGTERM or SIGINT."""
    book = data_dir / "sandbox" / "book.jsonl"
    book.parent.mkdir(parents=True, exist_ok=True)
    config = uvicorn.Config(
        create_sandbox(SandboxSettings(mail_port=mail_port, book_path=book)),
        host="127.0.0.1",
        port=port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=STOP_WAIT_S,
    )
    await uvicorn.Server(config).serve()
