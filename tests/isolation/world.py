"""Two businesses: one that tries, and one whose every text and id is known, so that a leak shows."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text

from core.clock import utc_now
from core.currency import Currency
from core.ids import Kind, new_id, outside
from core.money import Money
from core.pages import Cursor
from core.periods import Period
from owner_db.catalog.seeding import ensure_catalog
from owner_db.users import api_keys, members
from owner_db.users.models import User
from owner_db.users.signing_in import add_user, new_account
from tenancy.context import Principal, Services, TenantContext
from tenancy.roles import ROLE_SCOPES, Role, Scope
from tenancy.sessions import OwnerDatabase, Tenant
from tenant_db.channels.mapping import AccountPattern, NewAccount, map_account
from tenant_db.disputes.rules import DisputeStatus
from tenant_db.disputes.telling import ToldDispute, tell_dispute
from tenant_db.exports.requesting import NewExport, request_export
from tenant_db.exports.rules import ExportFormat, ExportKind
from tenant_db.exports.sources import Subject
from tenant_db.ledger.commands import NewHold, of_people
from tenant_db.ledger.holding import place_hold
from tenant_db.ledger.posting import post
from tenant_db.ledger.rules import TransferKind
from tenant_db.ledger.verifications import begin_verification
from tenant_db.orders.rules import NewItem
from tenant_db.reconciliation.models import Finding
from tenant_db.reconciliation.reconciling import NewReconciliation, plan
from tenant_db.reconciliation.rules import AskedBy, FindingKind
from tenant_db.reviews.opening import NewReview, open_review
from tenant_db.reviews.rules import ReviewCause, ReviewSubject
from tests.factories.callers import REQUEST, payer
from tests.factories.ledger import make_account, sale
from tests.factories.orders import make_order
from tests.factories.payments import Shop, initiate, make_shop
from tests.factories.provider_accounts import make_accounts_of
from tests.factories.refunds import make_paid, request
from tests.factories.statements import make_statement
from tests.factories.trading import make_stall, trade
from tests.factories.webhooks import make_webhook

MARK = "Zawadi"
"""In every name of the victim: it may never be told to anybody else."""
PASSWORD = "correct horse battery staple"
OWNER_TABLES = (
    "memberships",
    "api_keys",
    "invitations",
    "hook_endpoints",
    "short_codes",
    "ledger_heads",
    "tenants",
)


@dataclass(frozen=True, slots=True)
class Party:
    """A business, its owner, and one of everything it can have."""

    tenant: Tenant
    user: User
    context: TenantContext
    payer: TenantContext
    """Who holds a link to its order."""
    ids: dict[str, str]
    """TypeIDs by what they are of."""
    cursor: str


async def make_party(services: Services, tenant: Tenant, name: str) -> Party:
    """A business with a store, a channel, a payment, a key, a member and an invitation."""
    async with services.owner.transaction() as owner_session:
        await ensure_catalog(owner_session)
    user = await _owner_of(services, tenant, name)
    principal = Principal("user", user.id, tenant.id, ROLE_SCOPES[Role.OWNER], Role.OWNER.value, None)
    context = TenantContext(services, REQUEST, principal, await services.tenants.find(tenant.id))
    shop = await make_shop(tenant)
    payment = await initiate(tenant, shop, description=name, order_reference=f"{name} 1")
    async with tenant.transaction() as session:
        for table in ("stores", "channels"):
            await session.execute(text(f"UPDATE {table} SET name = :name"), {"name": name})  # noqa: S608 - ours
        entry = await map_account(
            session, shop.channel_id, NewAccount(AccountPattern.of("*"), shop.store_id, name)
        )
    order_id = await _sold_on_order(tenant, shop, name)
    checked = await _checked(services, tenant, shop, name)
    key, invitation = await _owner_rows(services, tenant, user, name)
    ids = {
        "store": outside(Kind.STORE, shop.store_id),
        "channel": outside(Kind.CHANNEL, shop.channel_id),
        "account_entry": outside(Kind.MAPPING, entry.id),
        "payment": outside(Kind.PAYMENT, payment.id),
        "order": outside(Kind.ORDER, order_id),
        **checked,
        **await _asked_of_people(tenant, payment.id, name),
        **await _given_back(tenant, shop, name),
        "ledger_verification": outside(Kind.LEDGER_VERIFICATION, await _verifying(services, tenant)),
        "tenant": outside(Kind.TENANT, tenant.id),
        "user": outside(Kind.USER, user.id),
        "api_key": key,
        "invitation": invitation,
    }
    cursor = Cursor(payment.created_at, payment.id).sealed(tenant.id)
    return Party(tenant, user, context, await payer(services, tenant, order_id), ids, cursor)


async def _checked(services: Services, tenant: Tenant, shop: Shop, name: str) -> dict[str, str]:
    """Two accounts of the store, a hold between them, and what a check found."""
    accounts = [await make_account(tenant, f"{name}:{number}") for number in range(2)]
    run = plan(NewReconciliation(shop.store_id, AskedBy.TENANT))
    finding = Finding(
        id=new_id(),
        fingerprint=name,
        scope=run.scope,
        reconciliation_id=run.id,
        seen_at=utc_now(),
        kind=FindingKind.SALE_MISSING.value,
        store_id=shop.store_id,
        subject=name,
        account_ids=[],
        cause=name,
    )
    async with tenant.transaction() as session:
        session.add(run)
        await session.flush()
        session.add(finding)
    transfer_id = await _moved(tenant, name, accounts)
    return {
        **await make_statement(tenant, shop, name, transfer_id),
        "transfer": outside(Kind.TRANSFER, transfer_id),
        "hold": outside(Kind.HOLD, await _held(tenant, name, accounts)),
        "export": outside(Kind.EXPORT, await _ordered(tenant, shop, name)),
        **await make_webhook(services.keyring, tenant, name),
        **await make_accounts_of(services.keyring, tenant, name),
        "reconciliation": outside(Kind.RECONCILIATION, run.id),
        "finding": outside(Kind.FINDING, finding.id),
        "ledger_account": outside(Kind.LEDGER_ACCOUNT, accounts[0]),
        "second_ledger_account": outside(Kind.LEDGER_ACCOUNT, accounts[1]),
        "store_account": outside(Kind.LEDGER_ACCOUNT, await _sold(tenant, shop)),
    }


async def _given_back(tenant: Tenant, shop: Shop, name: str) -> dict[str, str]:
    """A refund that waits to be sent, and a dispute, of one paid payment."""
    paid = await make_paid(tenant, shop)
    refund = await request(tenant, paid.id, 100, reason=name)
    told = ToldDispute(paid.id, f"dp_{name}", None, name, DisputeStatus.NEEDS_RESPONSE, None, None)
    async with tenant.transaction() as session:
        dispute = await tell_dispute(session, told, utc_now())
    return {
        "refund": outside(Kind.REFUND, refund.id),
        "dispute": outside(Kind.DISPUTE, dispute.id),
        "paid": outside(Kind.PAYMENT, paid.id),
    }


async def _asked_of_people(tenant: Tenant, payment_id: UUID, name: str) -> dict[str, str]:
    """A question about a payment, and the alert that tells of it."""
    new = NewReview(ReviewSubject.PAYMENT, payment_id, ReviewCause.CONTRADICTION, name, name)
    async with tenant.transaction() as session:
        review_id = await open_review(session, new)
        alert_id = await session.scalar(text("SELECT id FROM alerts WHERE kind = 'review_needed'"))
    return {"review": outside(Kind.REVIEW, review_id), "alert": outside(Kind.ALERT, alert_id)}


async def _sold_on_order(tenant: Tenant, shop: Shop, name: str) -> UUID:
    items = [NewItem(name, 1, 1_250)]
    return (await make_order(tenant, shop, reference=f"{name} order", customer_name=name, items=items)).id


async def _ordered(tenant: Tenant, shop: Shop, name: str) -> UUID:
    """A file of the store's transactions that waits to be made."""
    now = utc_now()
    period = Period(now - timedelta(days=1), now)
    subject = Subject(store_id=shop.store_id)
    new = NewExport(ExportKind.TRANSACTIONS, ExportFormat.CSV, subject, period, f"user:{name}")
    async with tenant.transaction() as session:
        return (await request_export(session, new, now)).id


async def _held(tenant: Tenant, name: str, accounts: list[UUID]) -> UUID:
    """A hold whose time is over, though nobody has come to let it go."""
    now = utc_now()
    new = NewHold(
        source_id=accounts[0],
        destination_id=accounts[1],
        amount=Money(100, Currency.KES),
        kind=TransferKind.TRANSFER,
        reference=name,
        idempotency_key=of_people(name),
        expires_at=now,
    )
    async with tenant.transaction() as session:
        return (await place_hold(session, new, now - timedelta(minutes=1))).id


async def _moved(tenant: Tenant, name: str, accounts: list[UUID]) -> UUID:
    async with tenant.transaction() as session:
        return (await post(session, sale(accounts[0], accounts[1], key=of_people(name)))).id


async def _verifying(services: Services, tenant: Tenant) -> UUID:
    async with tenant.transaction() as session:
        row, _ = await begin_verification(session, "", services.clock())
        return row.id


async def _sold(tenant: Tenant, shop: Shop) -> UUID:
    """The account of what the store has on its channel, after a sale."""
    stall = await make_stall(tenant, shop.store_id, shop.channel_id)
    await trade(tenant, stall.sale(1_250))
    return stall.available_id


async def _owner_of(services: Services, tenant: Tenant, name: str) -> User:
    account = await new_account(name, PASSWORD)
    async with services.owner.transaction() as session:
        user = await add_user(session, f"{name.lower()}@example.com", account)
        user.email_verified_at = services.clock()
        await members.add_member(session, user.id, tenant.id, Role.OWNER)
    return user


async def _owner_rows(services: Services, tenant: Tenant, user: User, name: str) -> tuple[str, str]:
    async with services.owner.transaction() as session:
        key, _ = await api_keys.create_api_key(
            session,
            tenant_id=tenant.id,
            name=name,
            scopes={Scope.PAYMENTS_READ},
            granter_scopes=set(Scope),
            created_by=user.id,
            environment="sandbox",
            expires_at=None,
        )
        invitation = await members.invite(
            session,
            tenant_id=tenant.id,
            email=f"guest@{name.lower()}.example.com",
            role=Role.VIEWER,
            invited_by=user.id,
            now=services.clock(),
        )
    return outside(Kind.API_KEY, key.id), outside(Kind.INVITATION, invitation.id)


async def contents(owner: OwnerDatabase, party: Party) -> dict[str, Any]:
    """Everything that is stored of a business, in its own database and in the owner's."""
    found: dict[str, Any] = {}
    async with party.tenant.reading() as session:
        tables = await session.scalars(
            text("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        )
        for table in tables.all():
            rows = await session.scalars(text(f'SELECT t::text FROM "{table}" AS t ORDER BY 1'))  # noqa: S608 - ours
            found[table] = rows.all()
    async with owner.reading() as session:
        for table in OWNER_TABLES:
            column = "id" if table == "tenants" else "tenant_id"
            rows = await session.scalars(
                text(f"SELECT t::text FROM {table} AS t WHERE {column} = :id ORDER BY 1"),  # noqa: S608 - ours
                {"id": party.tenant.id},
            )
            found[f"owner.{table}"] = rows.all()
    return found
