"""A demo business, set up the way a person would do it, and its first payment."""

import json
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select

from core.currency import Currency
from core.ids import Kind, inside, outside
from core.money import Money
from core.phone import Phone
from core.tenant import TenantKind, TenantStatus
from integrations.sandbox.demo import (
    DEMO_CONSUMER_KEY,
    DEMO_CONSUMER_SECRET,
    DEMO_PASSKEY,
    DEMO_PAYBILL,
    DEMO_PHONE,
)
from owner_db.users.models import User
from resolvers import api_keys, channels, channels_feed, payments, payments_feed, registering, stores
from server.compose import Process
from server.staffing import add_staff
from tenancy.context import Principal, RequestInfo, TenantContext
from tenancy.roles import ROLE_SCOPES, PlatformRole, Role
from tenant_db.channels.adding import NewChannel
from tenant_db.channels.machine import ChannelKind, ChannelStatus, Environment
from tenant_db.channels.rules import MpesaKeys
from tenant_db.payments.initiating import NewPayment
from tenant_db.payments.machine import ENDED
from tenant_db.stores.creating import NewStore

USER_EMAIL: Final = "owner@demo.example.com"
ADMIN_EMAIL: Final = "admin@platform.example.com"
SLUG: Final = "duka-la-demo"
AMOUNT: Final = Money(1_000, Currency.KES)
REQUEST: Final = RequestInfo("demo", "127.0.0.1", "hazina up")

Say = Callable[[str], None]


class DemoFailed(Exception):
    """The demo business could not be set up; the message says at which step."""


@dataclass(frozen=True, slots=True)
class Demo:
    """What `demo.json` holds: where everything is, and the demo's credentials."""

    graphql_url: str
    ws_url: str
    owner_graphql_url: str
    sandbox_url: str
    mailbox_url: str
    tenant: dict[str, str]
    tenant_user: dict[str, str]
    admin_user: dict[str, str]
    api_key: str
    channel_id: str
    store_id: str


async def ensure_demo(here: Process, path: Path, sandbox_url: str) -> Demo:
    """The demo business, made on the first start; `path` remembers its credentials.

    Raises:
        DemoFailed: a step did not succeed.
    """
    urls = _urls(here.settings.base_url, sandbox_url)
    known = {**(_remembered(path) or await _make(here)), **urls}
    write_private(path, json.dumps(known, indent=2) + "\n")
    return Demo(**known)


async def demo_payment(here: Process, demo: Demo, step: Say) -> str:
    """Collect KES 10.00 from the sandbox's payer; `step` is told of each step. Gives the plain line."""
    context = await _context(here, inside(Kind.TENANT, demo.tenant["id"]))
    new = NewPayment(
        channel_id=inside(Kind.CHANNEL, demo.channel_id),
        amount=AMOUNT,
        phone=Phone.parse(DEMO_PHONE),
        description="Demo",
    )
    view = await payments.initiate_payment(context, new, secrets.token_hex(16))
    updates = payments_feed.payment_updates(context, view.id)
    async for view in updates:
        told = f" ({view.sub_status})" if view.sub_status else ""
        step(f"  {view.status.value}{told}")
        if view.status in ENDED:
            break
    await updates.aclose()
    return f"demo payment {outside(Kind.PAYMENT, view.id)} {view.status.value} {AMOUNT}"


def _remembered(path: Path) -> dict[str, Any] | None:
    return json.loads(path.read_text()) if path.exists() else None


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, at once or not at all."""
    draft = path.with_name(f"{path.name}.new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
        stream.write(text)
    draft.replace(path)


def _urls(base_url: str, sandbox_url: str) -> dict[str, str]:
    return {
        "graphql_url": f"{base_url}/graphql",
        "ws_url": f"{base_url.replace('http', 'ws', 1)}/graphql",
        "owner_graphql_url": f"{base_url}/owner/graphql",
        "sandbox_url": sandbox_url,
        "mailbox_url": f"{sandbox_url}/mailbox",
    }


async def _make(here: Process) -> dict[str, Any]:
    password, admin_password = secrets.token_urlsafe(15), secrets.token_urlsafe(15)
    owner = here.services.owner
    await add_staff(owner, ADMIN_EMAIL, "Platform admin", admin_password, PlatformRole.ADMIN)
    tenant_id = await _register(here, password)
    context = await _context(here, tenant_id)
    store = await stores.create_store(context, NewStore("Duka la Demo", "main", "Africa/Nairobi"))
    channel_id = await _channel(context, store.id)
    scopes = ROLE_SCOPES[Role.ADMIN]
    _, api_key = await api_keys.create_api_key(context, "Demo", scopes, None)
    ref = context.tenant.ref
    return {
        "tenant": {"id": outside(Kind.TENANT, ref.id), "code": ref.code, "slug": ref.slug},
        "tenant_user": {"email": USER_EMAIL, "password": password},
        "admin_user": {"email": ADMIN_EMAIL, "password": admin_password},
        "api_key": api_key,
        "channel_id": outside(Kind.CHANNEL, channel_id),
        "store_id": outside(Kind.STORE, store.id),
    }


async def _register(here: Process, password: str) -> UUID:
    """Register the business as anybody would, prove the address, and wait until it is active."""
    anonymous = TenantContext(here.services, REQUEST)
    business = registering.NewBusiness("Duka la Demo", TenantKind.SMALL_BUSINESS, "KE", SLUG)
    signed, tenant = await registering.register_business(
        anonymous, registering.Registration(USER_EMAIL, password, "Demo owner", business)
    )
    async with here.services.owner.transaction() as session:
        user = await session.get_one(User, signed.user_id)
        user.email_verified_at = here.services.clock()
    member = TenantContext(here.services, REQUEST, _principal(signed.user_id, tenant.id))
    updates = registering.watch_tenant(member, tenant.id)
    async for now in updates:
        if now.status == TenantStatus.ACTIVE:
            break
        if now.status == TenantStatus.FAILED:
            raise DemoFailed(f"The demo business's database could not be made: {now.status_reason}")
    return tenant.id


async def _channel(context: TenantContext, store_id: UUID) -> UUID:
    keys = MpesaKeys(DEMO_CONSUMER_KEY, DEMO_CONSUMER_SECRET, DEMO_PASSKEY)
    new = NewChannel(
        store_id, "Demo PayBill", ChannelKind.PAYBILL, Environment.SANDBOX, DEMO_PAYBILL, None, keys
    )
    added = await channels.add_channel(context, new)
    await channels.verify_channel(context, added.id)
    updates = channels_feed.channel_updates(context, added.id)
    async for now in updates:
        if now.status == ChannelStatus.VERIFIED:
            break
        if now.status == ChannelStatus.REFUSED:
            raise DemoFailed(f"The demo channel was refused: {now.refusal}")
    await channels.activate_channel(context, added.id)
    return added.id


async def _context(here: Process, tenant_id: UUID) -> TenantContext:
    async with here.services.owner.reading() as session:
        user_id = await session.scalar(select(User.id).where(User.email == USER_EMAIL))
    if user_id is None:
        raise DemoFailed("demo.json is there, but its user is not. Delete it, or use another --data-dir.")
    tenant = await here.services.tenants.find(tenant_id)
    return TenantContext(here.services, REQUEST, _principal(user_id, tenant_id), tenant)


def _principal(user_id: UUID, tenant_id: UUID) -> Principal:
    return Principal("user", user_id, tenant_id, ROLE_SCOPES[Role.OWNER], Role.OWNER, None)
