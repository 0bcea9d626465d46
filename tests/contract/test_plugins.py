"""Plugins are found by their entry points; the worked example keeps the contract, and the contract bites."""

import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import pytest

from core.clock import utc_now
from core.collecting import Feature
from core.money import Money
from integrations.account import NotConfigured, Outside
from integrations.contract import CHECKS, Check, ContractBroken, Harness, NotApplicable
from integrations.errors import FailureReason, OutcomeUnknown, ProviderRejected, ProviderUnavailable
from integrations.http import open_client
from integrations.mpesa.tokens import ProcessTokens
from integrations.protocol import Absent, Adapter, Paid
from integrations.registry import adapter_for, integration_for, integrations
from integrations.webhooks import Webhook
from tests.contract.plugins import EXAMPLE, installed_plugin, on_path, write_entry_points
from tests.contract.sandboxes import Letterbox, open_letterbox
from tests.sandbox import serving


@dataclass
class Bank:
    """The example's stand-in, served."""

    modules: Mapping[str, Any]
    """The installed package's, by name."""
    stand_in: Any
    url: str
    http: httpx.AsyncClient
    letterbox: Letterbox
    made: int = 0

    def harness(self) -> Harness:
        """One with an account of its own."""
        self.made += 1
        outside = Outside(self.http, ProcessTokens(utc_now), utc_now)
        hook = f"{self.letterbox.url}/{self.made}"
        made = self.modules["contract_harness"].ExampleBankHarness(self.stand_in, self.url, outside, hook)
        made.told = self.letterbox.taken.setdefault(str(self.made), [])
        self.stand_in.plans.clear()
        assert isinstance(made, Harness)
        return made


@pytest.fixture(scope="module")
async def bank(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bank]:
    with installed_plugin(EXAMPLE, tmp_path_factory.mktemp("plugin")):
        names = ("contract_harness", "stand_in")
        modules = {name: import_module(f"hazina_example_bank.{name}") for name in names}
        async with opened_bank(modules) as bank:
            yield bank


@asynccontextmanager
async def opened_bank(modules: Mapping[str, Any]) -> AsyncIterator[Bank]:
    async with (
        httpx.AsyncClient(trust_env=False) as teller,
        open_client(httpx.Timeout(connect=2, read=0.5, write=2, pool=2)) as http,
        open_letterbox() as letterbox,
    ):
        stand_in = modules["stand_in"].StandIn(teller)
        async with serving(stand_in.app()) as url:
            yield Bank(modules, stand_in, url, http, letterbox)


async def test_an_installed_plugin_is_found_and_built_like_any_other(bank: Bank) -> None:
    harness = bank.harness()

    assert integration_for("example_bank") is integrations()["example_bank"]
    adapter = adapter_for(harness.account, harness.outside, harness.adapter)  # type: ignore[arg-type] # never called
    assert isinstance(adapter, Adapter)
    assert {"mpesa", "stripe", "paystack", "flutterwave"} < integrations().keys()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_the_worked_example_keeps_the_contract(bank: Bank, check: Check) -> None:
    try:
        await check(bank.harness())
    except NotApplicable as why:
        pytest.skip(str(why))


def test_what_is_not_installed_is_not_found() -> None:
    integrations.cache_clear()

    with pytest.raises(NotConfigured):
        integration_for("no_such_bank")


def test_a_plugin_that_is_broken_or_takes_a_name_harms_nobody(tmp_path: Path) -> None:
    (tmp_path / "hazina_broken.py").write_text("raise RuntimeError('at import')\n")
    (tmp_path / "hazina_thief.py").write_text(
        "from dataclasses import replace\n"
        "from integrations.registry import BUILT_IN\n"
        "THIEF = replace(BUILT_IN[0], features=frozenset())\n"
        "NOTHING = 7\n"
    )
    write_entry_points(
        tmp_path,
        "thief",
        broken="hazina_broken:GONE",
        missing="hazina_missing:GONE",
        nothing="hazina_thief:NOTHING",
        mpesa="hazina_thief:THIEF",
    )
    with on_path(tmp_path):
        found = dict(integrations())

    assert Feature.COLLECT in found["mpesa"].features
    assert not {"broken", "missing", "nothing"} & found.keys()
    sys.modules.pop("hazina_thief", None)


class Sabotaged(Adapter):
    """Hands on to a good adapter; a subclass spoils one thing."""

    def __init__(self, good: Adapter) -> None:
        self.good = good

    def __getattribute__(self, name: str) -> Any:  # noqa: ANN401 - whatever the good one has
        own = object.__getattribute__(self, "__class__").__dict__
        if name in {"good", "__class__", "__dict__"} or name in own:
            return object.__getattribute__(self, name)
        return getattr(object.__getattribute__(self, "good"), name)


class ForgetsDoubts(Sabotaged):
    async def create_payment(self, intent: Any) -> Any:  # noqa: ANN401 - as the good one
        try:
            return await self.good.create_payment(intent)
        except OutcomeUnknown as error:
            raise ProviderUnavailable(error.message) from error


class GivesUpAtOnce(Sabotaged):
    async def create_payment(self, intent: Any) -> Any:  # noqa: ANN401 - as the good one
        try:
            return await self.good.create_payment(intent)
        except ProviderUnavailable as error:
            raise ProviderRejected("busy", error.message, FailureReason.DECLINED) from error


class NewKeyEachTime(Sabotaged):
    async def create_payment(self, intent: Any) -> Any:  # noqa: ANN401 - as the good one
        key = f"{intent.attempt_key[:30]}{id(object()) % 10**6}"
        accepted = await self.good.create_payment(replace(intent, attempt_key=key))
        return replace(accepted, provider_reference=key)


class BelievesAnything(Sabotaged):
    async def query_payment(self, question: Any) -> Any:  # noqa: ANN401 - as the good one
        return Paid(question.amount)


class FindsNothing(Sabotaged):
    async def recover_payment(self, intent: Any) -> Any:  # noqa: ANN401 - as the good one
        return Absent()


class RefundsAnew(Sabotaged):
    async def refund_payment(self, refund: Any) -> Any:  # noqa: ANN401 - as the good one
        key = f"{refund.refund_id}-{id(object())}"
        return await self.good.refund_payment(replace(refund, refund_id=key))


class RoundsDown(Sabotaged):
    async def create_payment(self, intent: Any) -> Any:  # noqa: ANN401 - as the good one
        whole = Money(intent.amount.minor // 100 * 100, intent.amount.currency)
        return await self.good.create_payment(replace(intent, amount=whole))


class TellsItsKey(Sabotaged):
    def __repr__(self) -> str:
        return f"TellsItsKey({self.good.transport.api_key})"  # type: ignore[attr-defined] # the example's


class AcceptsAnySignature:
    """A scheme without a guard."""

    def __init__(self, good: Any) -> None:  # noqa: ANN401 - a scheme
        self.good = good

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the good one has
        return getattr(self.good, name)

    def authenticate(self, webhook: Webhook, secrets: Sequence[str], now: object) -> None:
        """Whoever sends is believed."""


SABOTAGE: list[tuple[type[Sabotaged], str]] = [
    (ForgetsDoubts, "a_lost_answer_is_unknown_and_can_be_recovered"),
    (GivesUpAtOnce, "a_throttled_creation_was_not_taken_and_may_be_sent_again"),
    (NewKeyEachTime, "a_creation_sent_again_collects_once"),
    (BelievesAnything, "a_decline_says_why_in_our_words"),
    (BelievesAnything, "a_question_that_differs_is_never_answered_paid"),
    (BelievesAnything, "money_that_differs_is_never_paid"),
    (BelievesAnything, "an_unknown_reference_is_never_paid"),
    (FindsNothing, "a_lost_answer_is_unknown_and_can_be_recovered"),
    (RefundsAnew, "a_refund_is_given_once"),
    (RoundsDown, "a_payment_is_collected_once_and_to_the_last_unit"),
    (TellsItsKey, "nothing_secret_is_kept_or_printed"),
]


def named(name: str) -> Check:
    (check,) = [check for check in CHECKS if check.__name__ == name]
    return check


@pytest.mark.parametrize(("saboteur", "name"), SABOTAGE, ids=lambda part: getattr(part, "__name__", part))
async def test_the_contract_finds_out_who_breaks_it(bank: Bank, saboteur: type[Sabotaged], name: str) -> None:
    harness = bank.harness()
    good = harness.integration
    harness.integration = replace(good, build=lambda *made: saboteur(good.build(*made)))

    with pytest.raises(ContractBroken):
        await named(name)(harness)


async def test_a_scheme_that_accepts_anything_and_features_that_are_not_there_are_found_out(
    bank: Bank,
) -> None:
    unguarded, boasting, shy = bank.harness(), bank.harness(), bank.harness()
    good = unguarded.integration
    unguarded.integration = replace(good, webhooks=AcceptsAnySignature(good.webhooks))
    boasting.integration = replace(good, features=good.features | {Feature.CAPTURE})
    shy.integration = replace(good, features=good.features - {Feature.CANCEL})

    with pytest.raises(ContractBroken):
        await named("a_webhook_that_is_not_genuine_is_refused")(unguarded)
    for harness in (boasting, shy):
        with pytest.raises(ContractBroken):
            await named("features_are_what_the_adapter_can_do")(harness)
