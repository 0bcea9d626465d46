"""A store that sells, is refunded and pays fees on a few channels: books with something to find."""

from dataclasses import dataclass
from uuid import UUID

from core.currency import Currency
from core.ids import new_id
from core.money import Money
from tenancy.sessions import Tenant
from tenant_db.ledger.accounts import Holding, available, holding, open_accounts, provider_fees
from tenant_db.ledger.posting import NewTransfer, post_linked
from tenant_db.ledger.results import Posted
from tenant_db.ledger.rules import TransferKind


@dataclass(frozen=True, slots=True)
class Stall:
    """What one store has on one channel, and the accounts across from it."""

    store_id: UUID
    place: Holding
    holding_id: UUID
    available_id: UUID
    fees_id: UUID
    currency: Currency

    def sale(self, amount_minor: int, reference: str = "pay_1") -> NewTransfer:
        return self.moved(self.holding_id, self.available_id, amount_minor, TransferKind.SALE, reference)

    def refund(self, amount_minor: int, reference: str = "ref_1") -> NewTransfer:
        return self.moved(self.available_id, self.holding_id, amount_minor, TransferKind.REFUND, reference)

    def fee(self, amount_minor: int, reference: str = "pay_1") -> NewTransfer:
        return self.moved(self.available_id, self.fees_id, amount_minor, TransferKind.FEE, reference)

    def payout(self, amount_minor: int, reference: str = "po_1") -> NewTransfer:
        return self.moved(self.available_id, self.holding_id, amount_minor, TransferKind.PAYOUT, reference)

    def moved(
        self, source: UUID, destination: UUID, amount_minor: int, kind: TransferKind, reference: str
    ) -> NewTransfer:
        amount = Money(amount_minor, self.currency)
        return NewTransfer(source, destination, amount, kind, reference, str(new_id()))


async def make_stall(
    tenant: Tenant,
    store_id: UUID,
    channel_id: UUID,
    currency: Currency = Currency.KES,
    *,
    spread: str | None = None,
) -> Stall:
    """`spread` chooses the shards of what is split."""
    place = Holding.of_channel(channel_id)
    async with tenant.transaction() as session:
        source, target, fees = await open_accounts(
            session,
            holding(place, currency),
            available(store_id, place, currency),
            provider_fees(currency),
            spread=spread,
        )
    return Stall(store_id, place, source, target, fees, currency)


async def trade(tenant: Tenant, *news: NewTransfer) -> list[Posted]:
    """Post in one transaction: they are recorded at one moment."""
    async with tenant.transaction() as session:
        return await post_linked(session, news)
