"""What a provider's webhooks say, and how they are proven to be its own."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol, runtime_checkable

from core.money import Money
from integrations.protocol import Answer


@dataclass(frozen=True, slots=True)
class Webhook:
    """One message as it came."""

    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    """Lower-case names; those the scheme names in `header_names`."""


class BadSignature(Exception):
    """The message does not prove that it comes from the provider; nothing of it is kept."""


class DisputeStatus(StrEnum):
    """Where a dispute stands."""

    NEEDS_RESPONSE = "needs_response"
    UNDER_REVIEW = "under_review"
    WON = "won"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class PaymentTold:
    """A provider tells of a payment."""

    provider_reference: str | None
    """As `Question.provider_reference`."""
    request_reference: str | None = None
    payment_id: str | None = None
    """Ours, from metadata, where it carries it."""
    answer: Answer | None = None
    """None where the message proves nothing and the provider must be asked.

    Amount and currency are as told; whoever settles compares them.
    """
    tenant: str | None = None
    """From metadata, where it carries it: another tenant's is no proof."""
    is_live: bool | None = None
    """Whether real money is meant; None where it does not say. It must fit the account's environment."""


@dataclass(frozen=True, slots=True)
class RefundTold:
    """A provider tells of a refund: always a reason to ask, never an answer."""

    payment_reference: str | None
    """One of the provider's ids of the payment, its receipt among them."""
    refund_reference: str | None
    refund_id: str | None = None
    """Ours, where it carries it."""


@dataclass(frozen=True, slots=True)
class DisputeTold:
    """A provider tells of a dispute."""

    provider_reference: str
    payment_reference: str | None
    receipt: str | None
    """Of the disputed money: `ch_…`."""
    amount: Money | None
    reason: str
    status: DisputeStatus
    evidence_due_at: datetime | None
    is_withdrawn: bool | None = None
    """True: the money was taken back; False: it was given back; None: it does not say."""
    fee: Money | None = None
    """What the provider charges for the dispute itself, in the dispute's currency, where it says."""
    fee_returned: Money | None = None
    """What it has given back of that."""


ProviderEvent = PaymentTold | RefundTold | DisputeTold


@runtime_checkable
class HoldsSecrets(Protocol):
    """A scheme whose messages carry what nobody may keep; `read` must do without it."""

    @property
    def secret_fields(self) -> AbstractSet[str]:
        """Names of fields that are left out, at any depth, once the raw bytes are proven."""
        ...


class WebhookScheme(Protocol):
    """How one provider's webhooks are authenticated and read; pure, and safe on hostile bytes."""

    @property
    def header_names(self) -> Sequence[str]:
        """Lower-case headers needed to authenticate."""
        ...

    @property
    def secret_names(self) -> Sequence[str]:
        """Names of the secrets that authenticate, such as `webhook_secret`."""
        ...

    @property
    def refusal_status(self) -> int:
        """The HTTP status of a message that is refused: 400 or 401."""
        ...

    def authenticate(self, webhook: Webhook, secrets: Sequence[str], now: datetime) -> None:
        """Prove the message over its raw bytes with any of the secrets (two while they are replaced).

        Raises:
            BadSignature: none fits, or it is too old.
        """
        ...

    def external_id(self, body: bytes) -> str:
        """The same for a repeat of the same message.

        Raises:
            BadMessage: it can't be read.
        """
        ...

    def read(self, body: bytes) -> Sequence[ProviderEvent]:
        """What it tells; empty for what does not concern us.

        Raises:
            BadMessage: it can't be read.
        """
        ...
