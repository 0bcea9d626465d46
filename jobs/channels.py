"""Proves a channel to be right, by asking the provider, and registers its URLs."""

from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

from integrations.account import NotConfigured
from integrations.errors import ProviderRejected, ProviderUnavailable
from integrations.mpesa.client import MpesaClient
from jobs.channel_proving import accept_route, refuse_channel, register_urls
from jobs.mpesa_requests import CHASE, Errand, ask_operator, ask_receipt, check_balance
from jobs.mpesa_results import chase_request
from jobs.providers import Providers, Route
from jobs.work import Done, Handler, Later, Result, Work, backoff
from tenant_db.channels.machine import PROOF_KEYS, RequestKind

VERIFY_ATTEMPTS_MAX: Final = 6
VERIFY_RETRY_MAX_S: Final = 20.0
"""Somebody watches: after a minute or two it is better to say that it did not work."""
UNREACHABLE: Final = "M-Pesa could not be reached. Verify the channel again later."
BEST: Final = "best"
"""By balance where the channel has an operator and the platform a certificate, else by keys."""


def channel_handlers(providers: Providers) -> list[Handler]:
    """The jobs of channels, by way of `providers`."""

    def bound(run: Callable[[Work, Providers], Awaitable[Result]]) -> Callable[[Work], Awaitable[Result]]:
        async def handle(work: Work) -> Result:
            return await run(work, providers)

        return handle

    return [
        # One more run than is used, so that the last one can write down that it gave up.
        Handler("verify_channel", bound(verify_channel), attempts_max=VERIFY_ATTEMPTS_MAX + 1),
        Handler("register_channel_urls", bound(register_channel_urls)),
        Handler("check_balance", bound(check_balance)),
        Handler("ask_receipt", bound(ask_receipt)),
        Handler(CHASE, bound(chase_request)),
    ]


async def verify_channel(work: Work, providers: Providers) -> Result:
    """Prove the keys by a token and a query for an invented prompt, then the operator by its balance.

    No money moves. The balance is told later, so a channel with an operator stays `verifying` till then.
    """
    channel_id = UUID(work.payload["channel_id"])
    try:
        route = await providers.route_of_channel(work.tenant, channel_id, work.kind)
        await route.adapter.prove_keys()
        if _proof(work, route) == PROOF_KEYS:
            await accept_route(work, route, channel_id, route.secrets.version, PROOF_KEYS)
        else:
            await _ask_balance(work, route, channel_id)
    except NotConfigured as lack:
        # Without opened secrets there is no version to record it for: whoever mends it starts again.
        return Later(backoff(work.attempt), str(lack))
    except ProviderRejected as refusal:
        return await _refuse(work, route, channel_id, refusal.message)
    except ProviderUnavailable as error:
        if work.attempt >= VERIFY_ATTEMPTS_MAX:
            return await _refuse(work, route, channel_id, UNREACHABLE)
        await _keep_calls(work, route, channel_id)
        return Later(backoff(work.attempt, max_s=VERIFY_RETRY_MAX_S), error.message)
    return Done()


async def register_channel_urls(work: Work, providers: Providers) -> Result:
    """Have payments by hand told to us; production takes this once."""
    channel_id = UUID(work.payload["channel_id"])
    try:
        route = await providers.route_of_channel(work.tenant, channel_id, work.kind)
    except NotConfigured as lack:
        return Later(backoff(work.attempt), str(lack))
    await register_urls(work, route, channel_id)
    await _keep_calls(work, route, channel_id)
    return Done()


def _proof(work: Work, route: Route) -> str:
    """Which proof is wanted, and can be had."""
    wanted = work.payload.get("proof", PROOF_KEYS)
    if wanted != BEST:
        return wanted
    try:
        if isinstance(route.adapter, MpesaClient):
            route.adapter.operator()
    except ProviderRejected:
        return PROOF_KEYS
    return BEST


async def _ask_balance(work: Work, route: Route, channel_id: UUID) -> None:
    errand = Errand(
        RequestKind.VERIFICATION, channel_id, channel_id, {"secrets_version": route.secrets.version}
    )
    await ask_operator(work, route, errand, lambda operator, url: operator.ask_balance(url))


async def _refuse(work: Work, route: Route, channel_id: UUID, why: str) -> Result:
    await _keep_calls(work, route, channel_id)
    await refuse_channel(work, channel_id, route.secrets.version, why)
    return Done()


async def _keep_calls(work: Work, route: Route, channel_id: UUID) -> None:
    async with work.tenant.transaction() as session:
        route.calls.write(session, channel_id)
    route.calls.forget()
