"""Refusals about the registry of tenants.

DomainError
├── SlugTaken             another business has it
├── NoServerHasRoom       every open database server is at its capacity
├── TenantNotFound        no tenant has that id or code
├── StepNotPossible       the tenant's state doesn't allow it
├── TenantHasOpenMatters  money or payments are still open: it can't be closed
├── RetentionNotOver      its database may not be dropped yet
├── ProvisioningBusy      as many databases are being made as may be; try again
├── ServerUnreachable     a database server did not answer; try again
└── ProvisioningFailed    the half-made database was dropped; says why
"""

from collections.abc import Sequence
from datetime import datetime

from core.errors import DomainError


class SlugTaken(DomainError):
    code = "SLUG_TAKEN"

    def __init__(self, slug: str) -> None:
        super().__init__(f"The slug {slug} is taken. Choose another.")
        self.slug = slug


class NoServerHasRoom(DomainError):
    code = "NO_SERVER_HAS_ROOM"

    def __init__(self) -> None:
        super().__init__("No database server has room for another business. Contact support.")


class TenantNotFound(DomainError):
    code = "TENANT_NOT_FOUND"

    def __init__(self, what: str) -> None:
        super().__init__(f"There is no tenant {what}.")


class StepNotPossible(DomainError):
    code = "STEP_NOT_POSSIBLE"

    def __init__(self, tenant_code: str, status: str, wanted: str) -> None:
        super().__init__(f"{tenant_code} is {status} and can't become {wanted}.")
        self.status = status


class TenantHasOpenMatters(DomainError):
    code = "TENANT_HAS_OPEN_MATTERS"

    def __init__(self, tenant_code: str, matters: Sequence[str]) -> None:
        super().__init__(f"{tenant_code} can't be closed yet: {'; '.join(matters)}.")
        self.matters = list(matters)


class RetentionNotOver(DomainError):
    code = "RETENTION_NOT_OVER"

    def __init__(self, tenant_code: str, until: datetime) -> None:
        super().__init__(
            f"{tenant_code} is kept until {until:%Y-%m-%d %H:%M} UTC. Use --purge to drop its database now."
        )
        self.until = until


class ProvisioningBusy(DomainError):
    code = "PROVISIONING_BUSY"

    def __init__(self) -> None:
        super().__init__("As many databases are being made as may be at once. Try again in a moment.")


class ServerUnreachable(DomainError):
    code = "SERVER_UNREACHABLE"

    def __init__(self, server: str, why: str) -> None:
        super().__init__(f"The database server {server} did not answer: {why}")


class ProvisioningFailed(DomainError):
    code = "PROVISIONING_FAILED"

    def __init__(self, tenant_code: str, why: str) -> None:
        super().__init__(f"The database of {tenant_code} could not be made and was dropped: {why}")
        self.why = why
