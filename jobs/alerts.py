"""Shows the platform's staff what businesses were shown."""

from uuid import UUID

from jobs.work import Dead, Done, Handler, Result, Work
from owner_db.alerts.copying import keep_copy
from tenant_db.alerts.copies import columns_of
from tenant_db.alerts.models import Alert
from tenant_db.alerts.raising import COPY


def alert_handlers() -> list[Handler]:
    """The jobs of alerts."""
    return [Handler(COPY, copy_alert)]


async def copy_alert(work: Work) -> Result:
    """Copy an alert as it stands now to the owner database; again is harmless, and never goes back."""
    alert_id = UUID(work.payload["alert_id"])
    async with work.tenant.reading() as session:
        alert = await session.get(Alert, alert_id)
    if alert is None:
        return Dead("the alert was never written here")
    async with work.services.owner.transaction() as session:
        await keep_copy(session, work.tenant.id, alert_id, columns_of(alert))
    return Done()
