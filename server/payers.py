"""Who holds a link to pay an order: from the token of the link to a principal that may do only that."""

import time
from collections import OrderedDict
from typing import Final

from tenancy.checkout_tokens import CheckoutToken
from tenancy.context import PAYER, Principal, Services
from tenancy.errors import NotSignedIn, TenantNotServed
from tenancy.sessions import Tenant
from tenant_db.orders.linking import proven_order

PROVEN_FOR_S: Final = 30.0
"""How long a proof is believed, for each page that is open asks again every few seconds. What a cancelled
order or a revoked link refuses is refused at once all the same: whoever pays or looks reads the order."""
PROOFS_MAX: Final = 20_000


class Payers:
    """Proves the tokens of links to pay, remembering each proof for some seconds."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._proven: OrderedDict[str, float] = OrderedDict()

    async def proven(self, text: str) -> tuple[Principal, Tenant]:
        """Who a token speaks for, and whose order it is.

        Whatever is wrong with a token, the refusal is the same: nobody learns which businesses and orders
        there are.

        Raises:
            NotSignedIn: it is none of ours, its time is over, or its order was cancelled.
            TenantNotServed: it was proven a moment ago, and its business can't be reached now.
        """
        token = CheckoutToken.read(text)
        if token.expires_at <= self._services.clock():
            raise NotSignedIn
        is_known = time.monotonic() - self._proven.get(text, float("-inf")) < PROVEN_FOR_S
        try:
            tenant = await self._services.tenants.find(token.tenant_id)
            if not is_known:
                await self._prove(tenant, token, text)
        except TenantNotServed as error:
            if is_known:
                raise
            raise NotSignedIn from error
        expires_at = token.expires_at
        return Principal(PAYER, token.order_id, tenant.id, frozenset(), None, expires_at, link=token), tenant

    async def _prove(self, tenant: Tenant, token: CheckoutToken, text: str) -> None:
        async with tenant.reading() as session:
            if await proven_order(session, token) is None:
                self._proven.pop(text, None)
                raise NotSignedIn
        self._proven[text] = time.monotonic()
        self._proven.move_to_end(text)
        if len(self._proven) > PROOFS_MAX:
            self._proven.popitem(last=False)
