"""What of an alert the platform's staff is shown."""

from typing import Any, Final

from tenant_db.alerts.models import Alert

_COPIED: Final = tuple(column.name for column in Alert.__table__.columns if column.name != "id")


def columns_of(alert: Alert) -> dict[str, Any]:
    """All but its id, by name, as the copy has them too."""
    return {name: getattr(alert, name) for name in _COPIED}
