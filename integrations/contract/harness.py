"""What the checks need of an adapter's author."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Any, ClassVar, Final, NoReturn, TypeVar

from core.collecting import Feature
from core.ids import Kind, new_id, outside
from core.money import Money
from integrations.account import Account, Integration, Outside
from integrations.errors import ProviderError
from integrations.http import Call
from integrations.protocol import Accepted, Adapter, Answer, Intent, Paid, Question, RefundRequest
from integrations.webhooks import Webhook

E = TypeVar("E", bound=ProviderError)

NOWHERE: Final = "http://127.0.0.1:9"
"""The port of "discard": nobody listens there."""


class ContractBroken(AssertionError):
    """The adapter does what no adapter may do; the text says what."""


class NotApplicable(Exception):
    """There is nothing to check: the provider has no such thing."""


class CannotStage(Exception):
    """The stand-in can't be made to do this."""


class Situation(StrEnum):
    """How the next creation, or the next refund, is to go."""

    PAID = "paid"
    LEFT_OPEN = "left_open"
    """The payer does nothing."""
    DECLINED = "declined"
    PAID_LESS = "paid_less"
    PAID_IN_OTHER_CURRENCY = "paid_in_other_currency"
    PAID_FOR_OTHER_TENANT = "paid_for_other_tenant"
    BUSY = "busy"
    """The provider throttles (429, or its own word for it) and takes nothing."""
    TIMEOUT_BEFORE = "timeout_before"
    """Not taken, and never answered."""
    TIMEOUT_AFTER = "timeout_after"
    """Taken, and never answered."""
    RESET_BEFORE = "reset_before"
    RESET_AFTER = "reset_after"
    SERVER_ERROR_BEFORE = "server_error_before"
    SERVER_ERROR_AFTER = "server_error_after"
    MALFORMED_BEFORE = "malformed_before"
    """Not taken, and answered with something that is no answer."""
    MALFORMED_AFTER = "malformed_after"
    REFUND_TIMEOUT_BEFORE = "refund_timeout_before"
    REFUND_TIMEOUT_AFTER = "refund_timeout_after"


REQUIRED: Final = frozenset(
    {
        *(Situation.PAID, Situation.DECLINED, Situation.BUSY),
        *(Situation.TIMEOUT_BEFORE, Situation.TIMEOUT_AFTER),
        *(Situation.SERVER_ERROR_AFTER, Situation.MALFORMED_AFTER),
    }
)
"""What every provider may do to us, so what every stand-in must be able to do."""

REFUND_SITUATIONS: Final = frozenset({Situation.REFUND_TIMEOUT_BEFORE, Situation.REFUND_TIMEOUT_AFTER})


class Harness(ABC):
    """One integration, an account of it, and a stand-in for the provider that runs on this machine."""

    integration: Integration
    account: Account
    """Known to the stand-in; its base URL is the stand-in's."""
    outside: Outside
    """Its HTTP client should give up reading after a second, or the checks take long."""

    creation_is_idempotent: ClassVar[bool] = True
    """False only where the provider has no key of ours: then callers must never send twice."""
    refund_is_idempotent: ClassVar[bool] = True
    signature_covers_body: ClassVar[bool] = True
    """False only where the provider proves its webhooks by a static secret."""
    carries_our_marks: ClassVar[bool] = True
    """False only where nothing but a reference can be sent along."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    @abstractmethod
    def intent(self) -> Intent:
        """A payment that the provider takes: new ids and a new attempt_key each time."""

    @abstractmethod
    async def stage(self, situation: Situation) -> None:
        """Have the next creation, or refund, go like this.

        Raises:
            CannotStage: the stand-in can't. What is in `REQUIRED` it must.
        """

    @abstractmethod
    async def settle(self) -> None:
        """Let payers do what they will do, and have all of it told; return when it is done."""

    @abstractmethod
    async def collected(self, intent: Intent) -> Sequence[Money]:
        """What the stand-in's own book says was paid for this payment: one entry for each time."""

    async def given_back(self, intent: Intent) -> Sequence[Money]:
        """What the book says was refunded of this payment, pending refunds included."""
        raise NotApplicable("no refunds")

    async def webhooks(self) -> Sequence[Webhook]:
        """Webhooks of this account that the stand-in told, in order; with Feature.WEBHOOK only."""
        raise NotApplicable("no webhooks")

    def unacceptable(self) -> Sequence[Intent]:
        """Payments that the provider, or the adapter before it, must refuse."""
        return ()

    def wrong_account(self) -> Account | None:
        """An account whose keys look right and are refused; None where none can be made."""
        return None

    def manual_intent(self) -> Intent:
        """One whose money is authorised first; with Feature.CAPTURE only."""
        raise NotApplicable("no capture")

    async def refund_of(self, intent: Intent, question: Question, paid: Paid, amount: Money) -> RefundRequest:
        """A new refund of a paid payment."""
        refund_id = outside(Kind.REFUND, new_id())
        return RefundRequest(refund_id, question, amount, paid.receipt, "Contract")

    def adapter(self, account: Account | None = None) -> Adapter:
        """Built as a job would build it; its calls are in `calls`."""
        return self.integration.build(account or self.account, self.outside, self._log)

    def has(self, feature: Feature) -> bool:
        return feature in self.integration.features

    def require(self, feature: Feature) -> None:
        """Raises NotApplicable where the integration has it not."""
        if not self.has(feature):
            raise NotApplicable(f"{self.integration.code} has no {feature}")

    async def _log(self, call: Call) -> None:
        self.calls.append(call)


def nowhere(harness: Harness) -> Account:
    """The harness's account at an address where nobody listens."""
    return replace(harness.account, base_url=NOWHERE)


def question_of(intent: Intent, accepted: Accepted) -> Question:
    return Question(
        provider_reference=accepted.provider_reference,
        amount=intent.amount,
        payment_id=intent.payment_id,
        tenant=intent.tenant,
        request_reference=accepted.request_reference,
    )


async def pay(harness: Harness, intent: Intent | None = None) -> tuple[Intent, Question, Paid]:
    """Collect one payment to its end."""
    intent = intent or harness.intent()
    await harness.stage(Situation.PAID)
    adapter = harness.adapter()
    question = question_of(intent, await adapter.create_payment(intent))
    await harness.settle()
    answer = await adapter.query_payment(question)
    return intent, question, require_paid(answer, "a payment that was paid")


def require_paid(answer: Answer, what: str) -> Paid:
    if not isinstance(answer, Paid):
        broken(f"{what} is answered {answer!r}, not Paid")
    return answer


async def raised(kind: type[E], call: Awaitable[object], what: str) -> E:
    """What `call` raises, which must be `kind`."""
    try:
        result = await call
    except kind as error:
        return error
    except ProviderError as error:
        broken(f"{what} raises {type(error).__name__} ({error.message}), not {kind.__name__}")
    raise ContractBroken(f"{what} gives {result!r}, instead of raising {kind.__name__}")


async def outcome(call: Awaitable[Any]) -> object:
    """What a call gives, or the provider error it raises; anything else it raises is a broken contract."""
    try:
        return await call
    except ProviderError as error:
        return error


def expect(fact: object, why: str) -> None:
    """Raises ContractBroken unless `fact` holds."""
    if not fact:
        broken(why)


def broken(why: str) -> NoReturn:
    raise ContractBroken(why)
