import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from integrations.errors import ProviderUnavailable
from integrations.mpesa.tokens import AccessToken, ProcessTokens, token_key

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@dataclass
class Issuer:
    """Gives numbered tokens, each good for 55 minutes."""

    now: datetime = NOON
    given: int = 0
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def fetch(self) -> AccessToken:
        await self.gate.wait()
        self.given += 1
        return AccessToken(f"token-{self.given}", self.now + timedelta(minutes=55))

    def clock(self) -> datetime:
        return self.now


@pytest.fixture
def issuer() -> Issuer:
    issuer = Issuer()
    issuer.gate.set()
    return issuer


async def test_rivals_wait_for_one_fetch(issuer: Issuer) -> None:
    issuer.gate.clear()
    tokens = ProcessTokens(issuer.clock)
    rivals = [asyncio.create_task(tokens.token("key", issuer.fetch)) for _ in range(5)]

    issuer.gate.set()

    assert await asyncio.gather(*rivals) == ["token-1"] * 5


async def test_a_token_is_renewed_when_it_is_due(issuer: Issuer) -> None:
    tokens = ProcessTokens(issuer.clock)
    first = await tokens.token("key", issuer.fetch)

    issuer.now = NOON + timedelta(minutes=55) - timedelta(seconds=1)
    assert await tokens.token("key", issuer.fetch) == first
    issuer.now = NOON + timedelta(minutes=55)
    assert await tokens.token("key", issuer.fetch) == "token-2"


async def test_a_refused_token_is_renewed_once_for_all_who_held_it(issuer: Issuer) -> None:
    tokens = ProcessTokens(issuer.clock)
    held = await tokens.token("key", issuer.fetch)

    renewed = [await tokens.token("key", issuer.fetch, refused=held) for _ in range(3)]

    assert renewed == ["token-2"] * 3


async def test_a_failed_fetch_is_not_remembered(issuer: Issuer) -> None:
    async def fail() -> AccessToken:
        raise ProviderUnavailable("offline")

    tokens = ProcessTokens(issuer.clock)
    with pytest.raises(ProviderUnavailable):
        await tokens.token("key", fail)

    assert await tokens.token("key", issuer.fetch) == "token-1"


async def test_the_least_recently_used_token_is_forgotten_first(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("integrations.mpesa.tokens.TOKENS_MAX", 2)
    tokens = ProcessTokens(issuer.clock)
    for key in ("a", "b", "a", "c"):
        await tokens.token(key, issuer.fetch)

    assert await tokens.token("a", issuer.fetch) == "token-1"
    assert await tokens.token("b", issuer.fetch) == "token-4"


def test_a_key_pair_is_named_without_telling_it() -> None:
    key = token_key("https://api.example.com", "consumer", "s3cr3t")

    assert "s3cr3t" not in key
    assert key != token_key("https://api.example.com", "consumer", "guessed")
    assert key != token_key("https://sandbox.example.com", "consumer", "s3cr3t")


def test_a_token_is_not_printed() -> None:
    assert "s3cr3t" not in repr(AccessToken("s3cr3t", NOON))
