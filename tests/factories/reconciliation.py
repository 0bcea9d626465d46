"""Books broken on purpose, in ways that the software itself can't, and what a check says of them."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select

from core.clock import utc_now
from core.currency import Currency
from core.ids import new_id
from core.money import Money
from tenancy.sessions import Tenant
from tenant_db.ledger.accounts import Holding, available, holding, open_accounts, provider_fees, suspense
from tenant_db.ledger.posting import NewTransfer, post
from tenant_db.ledger.rules import TransferKind
from tenant_db.payments.models import Payment
from tenant_db.payments.rules import Paid
from tenant_db.payments.settling import Callback, settle_by_callback
from tenant_db.reconciliation.models import Finding, Reconciliation
from tenant_db.reconciliation.reconciling import NewReconciliation, plan, reconcile
from tenant_db.reconciliation.rules import AskedBy
from tests.databases import PostgresServer
from tests.factories.payments import AMOUNT, Shop, checkout_id, pend


async def check(tenant: Tenant, store_id: UUID | None) -> Reconciliation:
    """Reconcile a store, or what all stores share."""
    async with tenant.transaction() as session:
        return await reconcile(session, plan(NewReconciliation(store_id, AskedBy.TENANT)), utc_now())


async def findings_of(tenant: Tenant, state: str | None = None) -> Sequence[Finding]:
    """In the order of their kinds."""
    async with tenant.reading() as session:
        rows = select(Finding).order_by(Finding.kind, Finding.subject)
        found = await session.scalars(rows if state is None else rows.where(Finding.state == state))
        return found.all()


async def kinds_of(tenant: Tenant, state: str = "open") -> list[str]:
    return [finding.kind for finding in await findings_of(tenant, state)]


async def tamper(postgres: PostgresServer, tenant: Tenant, *statements: str) -> None:
    """Run statements as nobody can who uses the application: as a superuser, with triggers switched off."""
    connection = await postgres.connect_to_tamper(tenant.ref.database)
    try:
        for statement in statements:
            assert await connection.execute(statement) not in {"UPDATE 0", "DELETE 0"}, statement
    finally:
        await connection.close()


async def pay(tenant: Tenant, shop: Shop, receipt: str) -> Payment:
    """A payment that its provider called paid, in the books."""
    payment, item_hash = await pend(tenant, shop)
    told = Callback(shop.channel_id, item_hash, checkout_id(payment), Paid(AMOUNT, receipt))
    async with tenant.transaction() as session:
        await settle_by_callback(session, told, utc_now())
    return payment


async def move(  # noqa: PLR0917 - read as one sentence
    tenant: Tenant,
    shop: Shop,
    source: str,
    destination: str,
    kind: TransferKind,
    reference: str,
    *,
    minor: int = 500,
) -> NewTransfer:
    """One transfer between the shop's accounts, by their sort."""
    place = Holding.of_channel(shop.channel_id)
    kes = Currency.KES
    plans = {
        "place": holding(place, kes),
        "store": available(shop.store_id, place, kes),
        "suspense": suspense(place, kes),
        "fees": provider_fees(kes),
    }
    async with tenant.transaction() as session:
        one, other = await open_accounts(session, plans[source], plans[destination])
        new = NewTransfer(one, other, Money(minor, kes), kind, reference, f"{kind}:{new_id()}")
        await post(session, new)
    return new
