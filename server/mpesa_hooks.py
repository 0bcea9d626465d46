"""What is M-Pesa's own about `/hooks/…`: answers to operators, and whether a payment by hand is welcome."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from integrations.errors import BadMessage
from integrations.mpesa.events import (
    ValidationRefusal,
    accept_validation,
    read_c2b_confirmation,
    read_c2b_validation,
    read_stk_result,
    refuse_validation,
)
from integrations.mpesa.operating import RESULT_MARK, TIMEOUT_MARK
from integrations.mpesa.results import read_result
from owner_db.tenants.hooks import Endpoint
from tenancy.context import Services
from tenancy.errors import TenantNotServed, TransactionInterrupted
from tenant_db.channels.validating import ByHand, Rules, Unwelcome, names_something, rules_of

VALIDATION_PATIENCE_S: Final = 3.0
"""M-Pesa waits 8 s; whoever is refused for want of an answer is a lost sale."""
FRESH_S: Final = 5.0
"""How long a channel's rules are remembered."""
REMEMBERED_MAX: Final = 5_000
AWAY: Final = (TenantNotServed, TransactionInterrupted, SQLAlchemyError, OSError, TimeoutError)

STK: Final = "stk"
MARKS: Final = {RESULT_MARK: "mpesa_result", TIMEOUT_MARK: "mpesa_timeout"}
"""What ends the secret part of an operator's URLs; a prompt's is hexadecimal, and has none of them."""

CODES: Final[Mapping[Unwelcome, ValidationRefusal]] = {
    Unwelcome.ACCOUNT: ValidationRefusal.ACCOUNT,
    Unwelcome.AMOUNT: ValidationRefusal.AMOUNT,
    Unwelcome.SHORT_CODE: ValidationRefusal.SHORT_CODE,
    Unwelcome.OTHER: ValidationRefusal.OTHER,
}

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Addressed:
    """What a message to an M-Pesa endpoint is about, by its address alone."""

    kind: str
    item: str | None
    """The secret part of the URL, without its mark."""


def addressed(purpose: str, kind: str, item: str | None) -> Addressed:
    """Tell an operator's result and its timeout from a prompt's callback."""
    if purpose != STK or item is None or item[-1:] not in MARKS:
        return Addressed(kind, item)
    return Addressed(MARKS[item[-1]], item[:-1])


def external_id(kind: str, body: bytes) -> str:
    """What M-Pesa calls it; `unreadable` where that can't be read, and a job will say so."""
    try:
        if kind == "stk_result":
            return read_stk_result(body).external_id
        if kind == "c2b_confirmation":
            return read_c2b_confirmation(body).external_id
        result = read_result(body)
    except BadMessage:
        return "unreadable"
    return f"{result.conversation_id}:{result.code}"


class Validations:
    """Answers whether payments by hand are welcome. What can't be decided in time is welcome."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._known: OrderedDict[tuple[UUID, UUID], tuple[Rules, float]] = OrderedDict()

    async def answer(self, endpoint: Endpoint, body: bytes) -> dict[str, str | int]:
        """M-Pesa's answer; no money has moved, and nothing is stored."""
        try:
            event = read_c2b_validation(body)
        except BadMessage:
            return refuse_validation(ValidationRefusal.OTHER)
        asked = ByHand(event.short_code, event.reference, event.amount)
        try:
            async with asyncio.timeout(VALIDATION_PATIENCE_S):
                unwelcome = await self._judge(endpoint, asked)
        except AWAY as error:
            log.warning("validation_not_judged", why=type(error).__name__)
            return accept_validation()
        return accept_validation() if unwelcome is None else refuse_validation(CODES[unwelcome])

    async def _judge(self, endpoint: Endpoint, asked: ByHand) -> Unwelcome | None:
        if endpoint.channel_id is None:
            return None
        rules = await self._rules(endpoint.tenant_id, endpoint.channel_id)
        unwelcome = None if rules is None else rules.judge(asked)
        if unwelcome is not Unwelcome.ACCOUNT:
            return unwelcome
        tenant = await self._services.tenants.settling(endpoint.tenant_id)
        async with tenant.reading() as session:
            is_ours = await names_something(session, endpoint.channel_id, asked)
        return None if is_ours else unwelcome

    async def _rules(self, tenant_id: UUID, channel_id: UUID) -> Rules | None:
        known, until = self._known.get((tenant_id, channel_id), (None, 0.0))
        if known is not None and time.monotonic() < until:
            return known
        tenant = await self._services.tenants.settling(tenant_id)
        async with tenant.reading() as session:
            rules = await rules_of(session, channel_id)
        if rules is not None:
            self._known[tenant_id, channel_id] = (rules, time.monotonic() + FRESH_S)
            self._known.move_to_end((tenant_id, channel_id))
            while len(self._known) > REMEMBERED_MAX:
                self._known.popitem(last=False)
        return rules
