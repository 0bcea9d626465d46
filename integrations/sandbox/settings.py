"""What a sandbox is told when it is built."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from core.clock import Clock, utc_now


@dataclass(frozen=True, slots=True)
class SandboxSettings:
    """Defaults suit a developer's machine."""

    think_time_s: float = 0.3
    """How long the simulated payer looks at the prompt."""
    callback_timeout_s: float = 10.0
    hang_s: float = 60.0
    """How long an answer that never comes keeps its caller waiting, unless the caller gives up."""
    webhook_retries_s: tuple[float, ...] = (0.5, 2.0, 5.0, 15.0)
    """Pauses before a refused webhook is sent again; M-Pesa's callbacks are sent once."""
    timestamp_tolerance: timedelta = timedelta(minutes=10)
    """How far a request's Timestamp may be off; three hours, the mistake of using UTC, is too far."""
    book_path: Path | None = None
    """A file the book is appended to and read from at the next start; None keeps it in memory."""
    mail_host: str = "127.0.0.1"
    mail_port: int | None = 1025
    """Where the mailbox takes mail; 0 is any free port, None is no mailbox."""
    messages_max: int = 500
    """Mails kept; the oldest go first."""
    clock: Clock = utc_now
