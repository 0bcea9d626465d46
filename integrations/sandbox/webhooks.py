"""Sends a provider's webhooks: signed, again if they are refused, and as wrongly as was planned."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from integrations.sandbox.accounts import Account, Accounts
from integrations.sandbox.clockwork import Clockwork
from integrations.sandbox.journal import Journal
from integrations.sandbox.plans import Plan
from integrations.sandbox.posting import Poster, Unanswered
from integrations.sandbox.records import Records
from integrations.sandbox.settings import SandboxSettings

FORGED: Final = ("tampered", "wrong_currency")
KEPT: Final = ("withheld", "never")
NO_URL: Final = "no URL registered"


@dataclass(slots=True)
class Message:
    """One webhook, from when it is due until it is told."""

    id: str
    """Unique in the provider: its event id, or an invented one."""
    key: str
    """The account's secret key."""
    subject: str
    """The provider's reference of what it tells of: releases name it."""
    body: dict[str, Any]
    """The truth; what is forged is forged on the way."""
    way: str = "normal"
    delay_s: float = 0.0
    state: str = "due"
    """`due`, `kept` until a release, `told`, or `refused` by every try."""
    tries: int = 0
    told: list[str] = field(default_factory=list)
    """How each try was answered: `normal: 200`, `tampered: 400`, `normal: ConnectError`."""


class Wire(Protocol):
    """What differs between providers."""

    def write(self, body: dict[str, Any]) -> bytes:
        """The bytes that are signed and sent."""
        ...

    def sign(self, account: Account, body: bytes) -> dict[str, str]:
        """The headers of one try; called anew for each."""
        ...

    def forge(self, body: dict[str, Any], way: str) -> dict[str, Any]:
        """A changed copy: `tampered` (another amount), `wrong_currency`, or `contradicting`.

        A contradiction is a message of its own: with its own id, where messages have one.
        """
        ...


def compact_json(body: dict[str, Any]) -> bytes:
    """For `Wire.write` where amounts are whole numbers."""
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()


class Webhooks:
    """The messages of one provider's sandbox."""

    def __init__(
        self,
        provider: str,
        wire: Wire,
        accounts: Accounts,
        *,
        settings: SandboxSettings,
        journal: Journal,
        poster: Poster,
    ) -> None:
        self._wire = wire
        self._accounts = accounts
        self._settings = settings
        self._poster = poster
        self._clockwork = Clockwork()
        self.messages = Records(journal, f"{provider}.webhook", Message)

    async def tell(self, message: Message, plan: Plan) -> None:
        """Send it as planned; returns at once, but where it is to arrive before the response."""
        message.way = plan.webhook
        message.delay_s = plan.webhook_delay_s if plan.webhook == "late" else 0.0
        message.state = "kept" if plan.webhook in KEPT else "due"
        self.messages.save(message)
        if message.state == "due":
            task = self._start(message)
            if plan.webhook == "before_response":
                await task

    async def release(self, subject: str | None = None) -> dict[str, list[str]]:
        """Send now, truly, what is late, withheld, lost, forged or refused; of one subject, or of all.

        Each is tried once: a place that still refuses is tried again later, if tries are left.
        """
        chosen = [message for message in self.messages if subject in (None, message.subject)]
        for message in chosen:
            if message.state == "due":
                await self._clockwork.hurry(message.id)
            if message.state in ("kept", "refused") or message.way in (*FORGED, "bad_signature"):
                self._clockwork.cut(message.id)
                message.way = "normal"
                await self._send(message)
        return {message.id: message.told for message in chosen}

    def resume(self) -> None:
        """Go on with what a restart cut off."""
        for message in self.messages:
            if message.state == "due":
                self._start(message)

    async def stop(self) -> None:
        await self._clockwork.stop()

    def _start(self, message: Message) -> asyncio.Task[None]:
        return self._clockwork.start(message.id, message.delay_s, lambda: self._send(message))

    async def _send(self, message: Message) -> None:
        """One try; what is refused is tried again after a pause, a few times, but if it is badly signed."""
        way = message.way
        is_taken = await self._try(
            message, self._wire.forge(message.body, way) if way in FORGED else message.body
        )
        if is_taken and way == "twice":
            await self._try(message, message.body)
        if is_taken and way == "contradicting":
            await self._try(message, self._wire.forge(message.body, way))
        pauses = () if way == "bad_signature" else self._settings.webhook_retries_s
        is_over = message.told[-1].endswith(NO_URL) or message.tries >= len(pauses)
        message.state = "told" if is_taken else "refused" if is_over else "due"
        message.tries += 1
        self.messages.save(message)
        if message.state == "due":
            message.delay_s = pauses[message.tries - 1]
            self._start(message)

    async def _try(self, message: Message, body: dict[str, Any]) -> bool:
        answer = await self._post(message, body)
        message.told.append(f"{message.way}: {answer}")
        self.messages.save(message)
        return answer.startswith("2")

    async def _post(self, message: Message, body: dict[str, Any]) -> str:
        account = self._accounts.get(message.key)
        if account is None or not account.webhook_url:
            return NO_URL
        content = self._wire.write(body)
        # A signature over other bytes is as wrong as one under another key.
        signed = content + b" " if message.way == "bad_signature" else content
        headers = {"content-type": "application/json", **self._wire.sign(account, signed)}
        try:
            return str((await self._poster.post(account.webhook_url, content, headers)).status)
        except Unanswered as error:
            return str(error)
