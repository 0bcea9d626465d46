"""Proves the keys of provider accounts by a real call, and forgets those that were replaced."""

from typing import Final
from uuid import UUID

from integrations.account import NotConfigured
from integrations.errors import OutcomeUnknown, ProviderRejected, ProviderUnavailable
from integrations.protocol import KeyProof
from jobs.providers import Providers, Route
from jobs.work import Done, Handler, Later, Result, Work, backoff
from tenant_db.credentials import replacing, testing
from tenant_db.credentials.models import ProviderAccount

TEST_ATTEMPTS_MAX: Final = 4
TEST_RETRY_MAX_S: Final = 20.0
"""Somebody watches: after a minute it is better to say that it did not work."""
FORGET_RETRY_S: Final = 3_600.0
FORGET_ATTEMPTS_MAX: Final = 50
"""Two days: keys that are replaced again keep the earlier job waiting."""
UNREACHABLE: Final = "The provider could not be reached. Test the account again later."
ENABLE: Final = "enable"
ENABLE_AS_DEFAULT: Final = "default"
"""What an import has the test do once the keys are proven; the payload's `then`."""


def provider_account_handlers(providers: Providers) -> list[Handler]:
    """The jobs of provider accounts, by way of `providers`."""

    async def test(work: Work) -> Result:
        return await test_provider_account(work, providers)

    return [
        # One more run than is used, so that the last one can write down that it gave up.
        Handler("test_provider_account", test, attempts_max=TEST_ATTEMPTS_MAX + 1),
        Handler("forget_previous_secrets", forget_previous_secrets, attempts_max=FORGET_ATTEMPTS_MAX),
    ]


async def test_provider_account(work: Work, providers: Providers) -> Result:
    """Have the provider accept or refuse the keys, without moving money; safe to repeat."""
    account_id = UUID(work.payload["provider_account_id"])
    async with work.tenant.reading() as session:
        if await session.get(ProviderAccount, account_id) is None:
            return Done()
    try:
        route = await providers.route(work.tenant, account_id, work.kind)
    except NotConfigured as lack:
        await _not_proven(work, None, account_id, str(lack))
        return Done()
    try:
        proof = await route.adapter.prove_keys()
    except ProviderRejected as refusal:
        await _not_proven(work, route, account_id, refusal.message)
        return Done()
    except (ProviderUnavailable, OutcomeUnknown) as error:
        if work.attempt >= TEST_ATTEMPTS_MAX:
            await _not_proven(work, route, account_id, UNREACHABLE)
            return Done()
        async with work.tenant.transaction() as session:
            route.calls.write(session, account_id)
        return Later(backoff(work.attempt, max_s=TEST_RETRY_MAX_S), error.message)
    await _proven(work, route, account_id, proof)
    return Done()


async def forget_previous_secrets(work: Work) -> Result:
    """Remove replaced secrets once webhooks signed with them are too old to come."""
    account_id = UUID(work.payload["provider_account_id"])
    async with work.tenant.transaction() as session:
        is_over = await replacing.forget_previous(session, account_id, work.services.clock())
    return Done() if is_over else Later(FORGET_RETRY_S, "they are still believed")


async def _proven(work: Work, route: Route, account_id: UUID, proof: KeyProof) -> None:
    then = work.payload.get("then", "")
    async with work.tenant.transaction() as session:
        route.calls.write(session, account_id)
        is_current = await testing.record_proven(
            session,
            account_id,
            route.secrets.version,
            summary=proof.summary,
            warnings=[*proof.warnings],
            now=work.services.clock(),
        )
        if is_current and then in {ENABLE, ENABLE_AS_DEFAULT}:
            await testing.enable_proven(session, account_id, as_default=then == ENABLE_AS_DEFAULT)


async def _not_proven(work: Work, route: Route | None, account_id: UUID, why: str) -> None:
    async with work.tenant.transaction() as session:
        if route is not None:
            route.calls.write(session, account_id)
        version = None if route is None else route.secrets.version
        await testing.record_not_proven(session, account_id, version, why, work.services.clock())
