"""Payments that their providers have taken: at Stripe on an account, by M-Pesa on the demo's channel."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from core.clock import utc_now
from core.collecting import Method
from core.currency import Currency
from core.ids import Kind, inside, new_id
from owner_db.tenants.hooks import register_endpoint
from server.compose import Process
from tenancy.sessions import Tenant
from tenant_db.channels.models import Channel
from tenant_db.credentials.adding import NewProviderAccount, add_provider_account
from tenant_db.credentials.models import ProviderAccount
from tenant_db.credentials.sealing import seal_secrets
from tenant_db.payments.machine import PaymentStatus
from tenant_db.payments.models import Payment
from tenant_db.payments.rules import make_reference

AMOUNT_MINOR: Final = 10_000
FIRST_PHONE: Final = 80_000_000
OPEN_FOR: Final = timedelta(days=1)


@dataclass(slots=True)
class Stand:
    """Where the webhooks are let in, and what they tell of."""

    stripe_path: str
    stripe_secret: str
    stk_path: str
    confirmation_path: str
    stripe: list[Payment] = field(default_factory=list)
    mpesa: list[Payment] = field(default_factory=list)
    items: dict[UUID, str] = field(default_factory=dict)
    """The secret part of each prompt's URL, by payment."""


async def open_stand(here: Process, demo: Mapping[str, Any], *, stripe_count: int, mpesa_count: int) -> Stand:
    """Write the account, its endpoints beside new ones of the channel, and the payments."""
    tenant = await here.services.tenants.find(inside(Kind.TENANT, demo["tenant"]["id"]))
    tokens = {purpose: secrets.token_hex(16) for purpose in ("webhook", "stk", "c2b_confirmation")}
    paths = {purpose: f"/hooks/{token}" for purpose, token in tokens.items()}
    secret = f"whsec_{secrets.token_hex(16)}"
    account = await _account(here, tenant, secret, tokens["webhook"])
    async with tenant.reading() as session:
        channel = await session.get_one(Channel, inside(Kind.CHANNEL, demo["channel_id"]))
    await _let_in(here, tenant, tokens, account, channel)
    stand = Stand(paths["webhook"], secret, paths["stk"], paths["c2b_confirmation"])
    stand.stripe = [_on_account(account, channel.store_id) for _ in range(stripe_count)]
    for number in range(mpesa_count):
        item = secrets.token_hex(16)
        payment = _on_channel(channel, item, FIRST_PHONE + number)
        stand.items[payment.id] = item
        stand.mpesa.append(payment)
    async with tenant.transaction() as session:
        session.add_all([*stand.stripe, *stand.mpesa])
    return stand


async def _account(here: Process, tenant: Tenant, secret: str, token: str) -> ProviderAccount:
    sealed = {
        "secret_key": f"sk_test_{secrets.token_hex(12)}",
        "webhook_secret": secret,
        "webhook_token": token,
    }
    new = NewProviderAccount("stripe", "Stripe", "sandbox", [Currency.KES])
    async with tenant.transaction() as session:
        account = await add_provider_account(session, new)
        await seal_secrets(session, here.services.keyring, account.id, sealed)
    return account


async def _let_in(
    here: Process, tenant: Tenant, tokens: Mapping[str, str], account: ProviderAccount, channel: Channel
) -> None:
    async with here.services.owner.transaction() as session:
        for purpose, token in tokens.items():
            of_account = purpose == "webhook"
            await register_endpoint(
                session,
                tenant.id,
                sha256(token.encode()).digest(),
                provider="stripe" if of_account else "mpesa",
                purpose=purpose,
                channel_id=None if of_account else channel.id,
                provider_account_id=account.id if of_account else None,
            )


def _on_account(account: ProviderAccount, store_id: UUID) -> Payment:
    return Payment(
        **_pending(store_id, account.id),
        provider="stripe",
        method=Method.CARD.value,
        sub_status="requires_action",
        provider_reference=f"pi_3Q{secrets.token_hex(11)}",
    )


def _on_channel(channel: Channel, item: str, phone: int) -> Payment:
    return Payment(
        **_pending(channel.store_id, channel.provider_account_id),
        channel_id=channel.id,
        short_code=channel.short_code,
        provider="mpesa",
        phone=f"+2547{phone:08d}",
        sub_status="stk_initiated",
        item_hash=sha256(item.encode()).digest(),
        provider_reference=f"ws_CO_{secrets.token_hex(10)}",
        request_reference=secrets.token_hex(10),
    )


def _pending(store_id: UUID, account_id: UUID) -> dict[str, Any]:
    now = utc_now()
    return {
        "id": new_id(),
        "created_at": now,
        "store_id": store_id,
        "provider_account_id": account_id,
        "environment": "sandbox",
        "amount_minor": AMOUNT_MINOR,
        "currency": Currency.KES,
        "reference": make_reference(),
        "description": "Order",
        "status": PaymentStatus.PENDING.value,
        "expires_at": now + OPEN_FOR,
        "submitted_at": now,
    }
