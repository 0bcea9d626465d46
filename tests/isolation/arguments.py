"""What the operations of the SDL are sent, and whose: every argument has a row here."""

from datetime import timedelta
from typing import Any, Final

from graphql import get_named_type

from core.clock import utc_now
from tests.isolation.documents import RootField, input_paths
from tests.isolation.world import MARK, Party

VICTIMS: Final = {
    "query.store.id": "store",
    "query.channel.id": "channel",
    "query.payment.id": "payment",
    "query.payments.storeId": "store",
    "query.payments.channelId": "channel",
    "query.order.id": "order",
    "query.orders.storeId": "store",
    "mutation.createOrder.input.storeId": "store",
    "mutation.cancelOrder.input.id": "order",
    "mutation.createPayLink.input.orderId": "order",
    "subscription.orderUpdated.id": "order",
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
    "query.paymentMetrics.storeId": "store",
    "query.webhookDeliveries.endpointId": "webhook_endpoint",
    "mutation.updateWebhookEndpoint.input.id": "webhook_endpoint",
    "mutation.rotateWebhookSecret.input.id": "webhook_endpoint",
    "mutation.enableWebhookEndpoint.input.id": "webhook_endpoint",
    "mutation.disableWebhookEndpoint.input.id": "webhook_endpoint",
    "mutation.deleteWebhookEndpoint.input.id": "webhook_endpoint",
    "mutation.sendTestWebhook.input.id": "webhook_endpoint",
    "mutation.redeliverWebhook.input.id": "webhook_delivery",
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
    "customerPhone": "+254700000009",
    "method": "MOBILE_MONEY",
    "quantity": 1,
    "unitPriceMinor": "10000",
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
    "groupBy": ["DAY"],
    "url": "https://mine.example.com/hooks",
    "events": ["PAYMENT_SUCCEEDED"],
    "slug": None,
    "invitation": None,
}
"""What arguments get that name nothing: by their last name. None leaves them out where they may be."""
OF_PATHS: Final = {
    "query.financialReport.since": (utc_now() - timedelta(days=1)).isoformat(),
    "query.financialReport.before": (utc_now() + timedelta(days=1)).isoformat(),
    "query.paymentMetrics.since": (utc_now() - timedelta(days=1)).isoformat(),
    "query.paymentMetrics.before": (utc_now() + timedelta(days=1)).isoformat(),
    "query.providerCallMetrics.since": (utc_now() - timedelta(days=1)).isoformat(),
    "query.providerCallMetrics.before": (utc_now() + timedelta(days=1)).isoformat(),
    "query.transfers.filter.reference": "pay_1",
    # With all that accounts and transfers lead to, a hundred of them cost too much.
    "query.transfers.first": 20,
    "query.ledgerAccounts.first": 20,
    "query.orders.first": 20,
    "query.orders.reference": None,
}
"""What single arguments get instead."""
REQUIRED_KINDS: Final = {
    "ExportKind": "STATEMENT",
    "PostingKind": "TRANSFER",
    "ChannelKind": "PAYBILL",
    "TenantKind": "INDIVIDUAL",
    "StatementProvider": "MPESA",
}

TELLS_NO_NAMES: Final = {
    "query.paymentProviders",
    "query.ledgerHead",
    "query.auditLog",
    "query.unmatchedTransfers",
    "query.ledgerBalance",
    "query.paymentMetrics",
    "query.providerCallMetrics",
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
