"""Every operation of the SDL, replayed with another business's ids, cursors and names.

A new field or argument fails these tests until it has a row in VALUES or OWN.
"""

import asyncio
import json
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final

import pytest
from graphql import get_named_type

from core.clock import utc_now
from schema.exchange import Outcome
from tenancy.context import Services
from tenancy.sessions import Tenant
from tests.factories.callers import run, watching
from tests.isolation.documents import RootField, document, input_paths, root_fields, tenant_sdl, variables
from tests.isolation.world import MARK, PASSWORD, Party, contents, make_party

SCHEMA = tenant_sdl()
FIELDS: Final = {root.path: root for root in root_fields(SCHEMA)}

VICTIMS: Final = {
    "query.store.id": "store",
    "query.channel.id": "channel",
    "query.payment.id": "payment",
    "query.payments.storeId": "store",
    "query.payments.channelId": "channel",
    "query.storeBalance.storeId": "store",
    "query.storeFinancialSummary.storeId": "store",
    "query.financialReport.storeId": "store",
    "query.ledgerAccount.id": "store_account",
    "query.ledgerAccounts.storeId": "store",
    "query.ledgerAccounts.holdingId": "channel",
    "query.transfer.id": "transfer",
    "query.transfers.filter.storeId": "store",
    "query.transfers.filter.holdingId": "channel",
    "query.transfers.filter.accountId": "store_account",
    "query.node.id": "payment",
    "query.ledgerVerification.id": "ledger_verification",
    "query.finding.id": "finding",
    "query.findings.storeId": "store",
    "query.hold.id": "hold",
    "query.export.id": "export",
    "query.ledgerAccountStatement.accountId": "ledger_account",
    "query.storeStatements.storeId": "store",
    "mutation.requestExport.input.accountId": "ledger_account",
    "mutation.requestExport.input.storeId": "store",
    "mutation.linkExport.input.id": "export",
    "subscription.exportUpdated.id": "export",
    "mutation.postTransfer.input.sourceId": "ledger_account",
    "mutation.postTransfer.input.destinationId": "second_ledger_account",
    "mutation.postTransfers.input.items.sourceId": "ledger_account",
    "mutation.postTransfers.input.items.destinationId": "second_ledger_account",
    "mutation.postLinkedTransfers.input.transfers.sourceId": "ledger_account",
    "mutation.postLinkedTransfers.input.transfers.destinationId": "second_ledger_account",
    "mutation.postAdjustment.input.sourceId": "ledger_account",
    "mutation.postAdjustment.input.destinationId": "second_ledger_account",
    "mutation.reverseTransfer.input.transferId": "transfer",
    "mutation.placeHold.input.sourceId": "ledger_account",
    "mutation.placeHold.input.destinationId": "second_ledger_account",
    "mutation.postHold.input.holdId": "hold",
    "mutation.voidHold.input.holdId": "hold",
    "mutation.openLedgerAccount.input.storeId": "store",
    "mutation.closeLedgerAccount.input.id": "ledger_account",
    "mutation.addChannel.input.storeId": "store",
    "mutation.replaceChannelCredentials.input.id": "channel",
    "mutation.verifyChannel.input.id": "channel",
    "mutation.activateChannel.input.id": "channel",
    "mutation.deactivateChannel.input.id": "channel",
    "mutation.initiatePayment.input.channelId": "channel",
    "mutation.initiatePayment.input.storeId": "store",
    "mutation.cancelPayment.input.id": "payment",
    "mutation.reconcileStoreBalance.input.storeId": "store",
    "mutation.resolveFinding.input.findingId": "finding",
    "mutation.resolveFinding.input.adjustment.sourceId": "ledger_account",
    "mutation.resolveFinding.input.adjustment.destinationId": "second_ledger_account",
    "query.statementImport.id": "statement_import",
    "query.statementMatch.id": "statement_match",
    "query.statementLines.importId": "statement_import",
    "query.statementLines.holding": "channel",
    "query.unmatchedTransfers.holding": "channel",
    "mutation.importStatement.input.channelId": "channel",
    "mutation.importStatement.input.providerAccountId": "provider_account",
    "mutation.matchStatementLines.input.lineIds": "statement_line",
    "mutation.matchStatementLines.input.transferIds": "transfer",
    "mutation.unmatchStatement.input.matchId": "statement_match",
    "mutation.revokeApiKey.input.id": "api_key",
    "mutation.revokeInvitation.input.id": "invitation",
    "mutation.changeMemberRole.input.userId": "user",
    "mutation.removeMember.input.userId": "user",
    "mutation.switchTenant.input.tenantId": "tenant",
    "subscription.channelUpdated.id": "channel",
    "subscription.paymentUpdated.id": "payment",
    "subscription.storeBalanceUpdated.storeId": "store",
    "subscription.tenantStatus.tenantId": "tenant",
}
"""Every argument that names something: whose of the victim's ids it gets."""

VALUES: Final[dict[str, Any]] = {
    "first": 100,
    "status": None,
    "name": "Mine",
    "code": "mine",
    "timeZone": "Africa/Nairobi",
    "kind": None,
    "environment": "SANDBOX",
    "shortCode": "600100",
    "headOfficeCode": None,
    "consumerKey": "key",
    "consumerSecret": "secret",
    "passkey": "passkey",
    "idempotencyKey": "the-same-key",
    "amountMinor": "10000",
    "currency": "KES",
    "phone": "+254700000009",
    "description": "Mine",
    "orderReference": f"{MARK} 1",
    "customerName": None,
    "customerEmail": None,
    "scopes": ["payments:read"],
    "expiresAt": None,
    "effectiveAt": None,
    "reference": f"{MARK} 1",
    "metadata": None,
    "normalSide": "DEBIT",
    "floorMinor": None,
    "ceilingMinor": None,
    "state": None,
    "reason": "a test",
    "firstDay": (utc_now() - timedelta(days=2)).date().isoformat(),
    "lastDay": (utc_now() + timedelta(days=2)).date().isoformat(),
    "format": "CSV",
    "keptHead": None,
    "note": "a test",
    "content": "nothing",
    "contentEncoding": "TEXT",
    "fileName": "mine.csv",
    "toleranceMinor": None,
    "toleranceDays": None,
    "dryRun": None,
    "isMatched": None,
    "since": None,
    "before": None,
    "at": None,
    "kinds": ["SALE"],
    "atLeastMinor": "1",
    "atMostMinor": None,
    "until": None,
    "role": "VIEWER",
    "email": "mine@example.com",
    "password": "a wrong and long password",
    "secret": "unknown",
    "refreshToken": "hzr_unknown",
    "country": "KE",
    "slug": None,
    "invitation": None,
}
"""What arguments get that name nothing: by their last name. None leaves them out where they may be."""
OF_PATHS: Final = {
    "query.financialReport.since": (utc_now() - timedelta(days=1)).isoformat(),
    "query.financialReport.before": (utc_now() + timedelta(days=1)).isoformat(),
    "query.transfers.filter.reference": "pay_1",
    # With all that accounts and transfers lead to, a hundred of them cost too much.
    "query.transfers.first": 20,
    "query.ledgerAccounts.first": 20,
}
"""What single arguments get instead."""
REQUIRED_KINDS: Final = {
    "ExportKind": "STATEMENT",
    "PostingKind": "TRANSFER",
    "ChannelKind": "PAYBILL",
    "TenantKind": "INDIVIDUAL",
    "StatementProvider": "MPESA",
}

AT_ONCE_S: Final = 0.5

TELLS_NO_NAMES: Final = {
    "query.paymentProviders",
    "query.ledgerHead",
    "query.auditLog",
    "query.unmatchedTransfers",
    "query.ledgerBalance",
}
"""Fields that tell no name and no id, or find nothing for what these tests send."""


def values_for(root: RootField, victim: Party) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for path, field in input_paths(root).items():
        kind = get_named_type(field.type).name
        name = path.rpartition(".")[2]
        if kind == "ID":
            values[path] = victim.ids[VICTIMS[f"{root.path}.{path}"]]
        elif name == "after":
            values[path] = None
        elif kind in REQUIRED_KINDS:
            values[path] = REQUIRED_KINDS[kind]
        elif (value := OF_PATHS.get(f"{root.path}.{path}", VALUES[name])) is not None:
            values[path] = value
    return values


@pytest.fixture
async def attacker(services: Services, tenant: Tenant) -> Party:
    return await make_party(services, tenant, "Otieno")


@pytest.fixture
async def victim(services: Services, second_tenant: Tenant) -> Party:
    return await make_party(services, second_tenant, MARK)


def test_every_argument_has_a_case() -> None:
    missing, known = [], set()
    for root in FIELDS.values():
        for path, field in input_paths(root).items():
            full, name = f"{root.path}.{path}", path.rpartition(".")[2]
            if get_named_type(field.type).name == "ID":
                known.add(full)
                if full not in VICTIMS:
                    missing.append(full)
            elif (
                name != "after"
                and name not in VALUES
                and get_named_type(field.type).name not in REQUIRED_KINDS
            ):
                missing.append(full)

    assert not missing
    assert set(VICTIMS) == known


async def answers(party: Party, root: RootField, values: dict[str, Any]) -> list[Outcome]:
    """What `party` is told; of a subscription, what comes at once."""
    text, sent = document(SCHEMA, root), variables(root, values)
    if root.kind != "subscription":
        return [await run(party.context, text, **sent)]
    told: list[Outcome] = []
    async with watching(party.context, text, **sent) as events:
        with suppress(TimeoutError):
            async with asyncio.timeout(AT_ONCE_S):
                async for outcome in events:
                    told.append(outcome)  # noqa: PERF401 - what came before the time is up counts
    return told


def leaks(told: list[Outcome], victim: Party, sent: dict[str, Any]) -> list[str]:
    """What of the victim's is in the answers, apart from what was sent."""
    body = json.dumps([outcome.body for outcome in told], default=str)
    secrets = [MARK, MARK.lower(), *victim.ids.values()]
    return [secret for secret in secrets if secret in body and secret not in json.dumps(sent)]


async def test_nothing_of_another_business_is_told_or_changed(
    services: Services, attacker: Party, victim: Party
) -> None:
    before = await contents(services.owner, victim)
    problems: dict[str, object] = {}
    for path, root in FIELDS.items():
        sent = values_for(root, victim)
        told = await answers(attacker, root, sent)
        if any(outcome.is_request_error for outcome in told):
            # Refused for its shape, it would prove nothing.
            problems[path] = told[0].body
        elif found := leaks(told, victim, sent):
            problems[path] = found

    assert problems == {}
    assert await contents(services.owner, victim) == before


async def test_the_same_operations_show_a_business_its_own(victim: Party) -> None:
    problems: dict[str, object] = {}
    for path, root in FIELDS.items():
        if root.kind == "mutation":
            continue
        told = await answers(victim, root, values_for(root, victim))
        body = json.dumps([outcome.body for outcome in told], default=str)
        is_own = path in TELLS_NO_NAMES or MARK in body or any(id_ in body for id_ in victim.ids.values())
        if not told or "errors" in told[0].body or not is_own:
            problems[path] = body

    assert problems == {}


async def test_a_cursor_of_another_business_is_refused(attacker: Party, victim: Party) -> None:
    problems: dict[str, object] = {}
    for path, root in FIELDS.items():
        if "after" not in input_paths(root):
            continue
        own = {**values_for(root, attacker), "after": attacker.cursor}
        (good,) = await answers(attacker, root, own)
        (told,) = await answers(attacker, root, {**own, "after": victim.cursor})
        codes = [error["extensions"]["code"] for error in told.body.get("errors", [])]
        if "errors" in good.body or codes != ["INVALID_INPUT"]:
            problems[path] = (good.body, codes)

    assert problems == {}


async def test_the_same_idempotency_key_is_another_key_in_another_business(
    attacker: Party, victim: Party
) -> None:
    root = FIELDS["mutation.initiatePayment"]
    paid = {}
    for party in (attacker, victim):
        values = {**values_for(root, party), "input.orderReference": "new"}
        (told,) = await answers(party, root, values)
        success = told.body["data"]["initiatePayment"]
        assert success["__typename"] == "InitiatePaymentSuccess", success
        paid[party.tenant.id] = success["payment"]["id"]

    assert len(set(paid.values())) == 2


async def test_a_password_of_another_business_s_user_opens_only_their_own(
    services: Services, attacker: Party, victim: Party
) -> None:
    root = FIELDS["mutation.signIn"]
    values = {"input.email": victim.user.email, "input.password": PASSWORD}

    (told,) = await answers(attacker, root, values)

    session = told.body["data"]["signIn"]["session"]
    claims = await services.tokens.verify(session["accessToken"], "tenant")
    assert claims.user_id == victim.user.id
