"""What the operations of the SDL are sent, and whose: every argument has a row here."""

from typing import Any, Final

from graphql import get_named_type

from tests.isolation.documents import RootField, input_paths
from tests.isolation.given import OF_PATHS, REQUIRED_KINDS, VALUES
from tests.isolation.world import Party

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
    "mutation.revokePayLink.input.orderId": "order",
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
    "mutation.updateChannel.input.id": "channel",
    "mutation.updateChannel.input.storeId": "store",
    "mutation.setChannelOperator.input.id": "channel",
    "mutation.makeChannelPrimary.input.id": "channel",
    "mutation.suspendChannel.input.id": "channel",
    "mutation.resumeChannel.input.id": "channel",
    "mutation.registerChannelUrls.input.id": "channel",
    "mutation.checkChannelBalance.input.id": "channel",
    "query.channelAccounts.channelId": "channel",
    "query.previewAccountMapping.channelId": "channel",
    "mutation.mapAccount.input.channelId": "channel",
    "mutation.mapAccount.input.storeId": "store",
    "mutation.unmapAccount.input.id": "account_entry",
    "query.channelHealth.channelId": "channel",
    "subscription.channelHealth.channelId": "channel",
    "mutation.initiatePayment.input.channelId": "channel",
    "mutation.initiatePayment.input.storeId": "store",
    "mutation.cancelPayment.input.id": "payment",
    "mutation.confirmPayment.input.id": "payment",
    "mutation.capturePayment.input.id": "payment",
    "query.paymentStatus.id": "payment",
    "subscription.paymentStatus.id": "payment",
    "mutation.reconcileStoreBalance.input.storeId": "store",
    "mutation.resolveFinding.input.findingId": "finding",
    "mutation.resolveFinding.input.adjustment.sourceId": "ledger_account",
    "mutation.resolveFinding.input.adjustment.destinationId": "second_ledger_account",
    "query.refund.id": "refund",
    "query.refunds.paymentId": "paid",
    "query.refunds.storeId": "store",
    "mutation.refundPayment.input.paymentId": "paid",
    "subscription.refundUpdated.id": "refund",
    "query.dispute.id": "dispute",
    "query.disputes.paymentId": "paid",
    "query.disputes.storeId": "store",
    "mutation.submitDisputeEvidence.input.disputeId": "dispute",
    "subscription.disputeUpdated.id": "dispute",
    "query.alert.id": "alert",
    "mutation.acknowledgeAlert.input.id": "alert",
    "mutation.resolveAlert.input.id": "alert",
    "query.review.id": "review",
    "query.reviewEvidence.id": "review",
    "mutation.decideReview.input.reviewId": "review",
    "mutation.decideReview.input.storeId": "store",
    "query.providerAccount.id": "own_provider_account",
    "query.publicProviderConfiguration.id": "own_provider_account",
    "query.explainRouting.storeId": "store",
    "mutation.testProviderAccount.input.id": "own_provider_account",
    "mutation.replaceProviderKeys.input.id": "own_provider_account",
    "mutation.revealWebhookUrl.input.id": "own_provider_account",
    "mutation.enableProviderAccount.input.id": "own_provider_account",
    "mutation.disableProviderAccount.input.id": "own_provider_account",
    "mutation.setDefaultProviderAccount.input.id": "own_provider_account",
    "mutation.updateProviderAccount.input.id": "own_provider_account",
    "mutation.rollbackPaymentProviderImport.input.importId": "provider_import",
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
    "subscription.storePayments.storeId": "store",
    "subscription.storeBalanceUpdated.storeId": "store",
    "subscription.tenantStatus.tenantId": "tenant",
}
"""Every argument that names something: whose of the victim's ids it gets."""

INSTEAD: Final = {
    "mutation.initiatePayment.input.providerAccountId": ("input.channelId", "own_provider_account"),
}
"""Arguments that name something in the place of another one, and have a test of their own."""

TELLS_NO_NAMES: Final = {
    "query.availableProviders",
    "query.channelTemplates",
    "query.publicProviderConfiguration",
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
        if f"{root.path}.{path}" in INSTEAD:
            continue
        if kind == "ID":
            values[path] = victim.ids[VICTIMS[f"{root.path}.{path}"]]
        elif name == "after":
            values[path] = None
        elif kind in REQUIRED_KINDS:
            values[path] = REQUIRED_KINDS[kind]
        elif (value := OF_PATHS.get(f"{root.path}.{path}", VALUES[name])) is not None:
            values[path] = value
    return values
