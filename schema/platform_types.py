"""What staff see: catalog rows, audit entries, jobs that were given up."""

from datetime import datetime

import strawberry
from strawberry.scalars import JSON

from core.currency import Currency
from core.ids import Kind, outside
from owner_db.audit.models import OwnerAudit
from owner_db.catalog.providers import Provider
from resolvers import platform
from schema.provider_types import IntegrationType, ProviderStatus
from schema.scalars import BigInt


@strawberry.type(description="One currency that a provider takes.")
class ProviderCurrency:
    currency: Currency = strawberry.field(description="The currency.")
    min_minor: BigInt = strawberry.field(description="The least of one payment, in minor units.")
    max_minor: BigInt | None = strawberry.field(description="The most of one payment; null is no limit.")
    step_minor: BigInt = strawberry.field(description="Amounts are multiples of it.")
    fee_bps: int = strawberry.field(description="Published percentage in basis points.")
    fee_fixed_minor: BigInt = strawberry.field(description="Published fee of each payment, in minor units.")
    is_recommended: bool = strawberry.field(description="Whether the platform advises it for the currency.")


@strawberry.type(description="An outside payment system in the catalog.")
class CatalogProvider:
    code: str = strawberry.field(description="Such as `mpesa`.")
    name: str = strawberry.field(description="What people call it.")
    status: ProviderStatus = strawberry.field(description="Where it is in its life.")
    integration_type: IntegrationType = strawberry.field(description="Whose code speaks to it.")
    logo_url: str | None = strawberry.field(description="A picture of its mark; null if there is none.")
    documentation_url: str | None = strawberry.field(description="Its own documentation.")
    recommendation: int = strawberry.field(description="Lower is tried first where a tenant has not chosen.")
    settings: JSON = strawberry.field(description="What its integration reads, such as paths.")
    api_base_url: str = strawberry.field(description="Where its production API is.")
    sandbox_api_base_url: str = strawberry.field(description="Where its sandbox is.")
    methods: list[str] = strawberry.field(description="How payers pay, such as `mobile_money`.")
    features: list[str] = strawberry.field(description="What it can do, such as `collect`.")
    currencies: list[ProviderCurrency] = strawberry.field(description="What it takes, with limits.")
    config_schema: JSON = strawberry.field(
        description="JSON Schema (draft 2020-12) of a tenant's configuration; writeOnly marks secrets."
    )

    @classmethod
    def of(cls, provider: Provider) -> "CatalogProvider":
        return cls(
            code=provider.code,
            name=provider.name,
            status=provider.status,
            integration_type=provider.integration_type,
            logo_url=provider.logo_url,
            documentation_url=provider.documentation_url,
            recommendation=provider.recommendation,
            settings=JSON(dict(provider.settings)),
            api_base_url=provider.api_base_url,
            sandbox_api_base_url=provider.sandbox_api_base_url,
            methods=list(provider.methods),
            features=list(provider.features),
            currencies=[
                ProviderCurrency(
                    currency=currency,
                    min_minor=BigInt(limits.min_minor),
                    max_minor=None if limits.max_minor is None else BigInt(limits.max_minor),
                    step_minor=BigInt(limits.step_minor),
                    fee_bps=limits.fee_bps,
                    fee_fixed_minor=BigInt(limits.fee_fixed_minor),
                    is_recommended=limits.is_recommended,
                )
                for currency, limits in provider.currencies.items()
            ],
            config_schema=JSON(dict(provider.config_schema)),
        )


@strawberry.type(description="Who did what on the platform, when, from where and why.")
class PlatformAuditEntry:
    id: strawberry.ID = strawberry.field(description="Starts with audit_.")
    at: datetime = strawberry.field(description="When.")
    actor_kind: str = strawberry.field(description="`user`, `api_key`, `staff`, `operator` or `system`.")
    actor_id: str | None = strawberry.field(description="Who, as far as it has an id.")
    action: str = strawberry.field(description="What, such as `suspend_tenant`.")
    subject: str | None = strawberry.field(description="What it was done to.")
    reason: str | None = strawberry.field(description="Why.")
    ip: str | None = strawberry.field(description="From which network address.")
    request_id: str | None = strawberry.field(description="The request; its log lines have it, too.")

    @classmethod
    def of(cls, row: OwnerAudit) -> "PlatformAuditEntry":
        return cls(
            id=strawberry.ID(outside(Kind.AUDIT, row.id)),
            at=row.created_at,
            actor_kind=row.actor_kind,
            actor_id=None if row.actor_id is None else str(row.actor_id),
            action=row.action,
            subject=row.subject,
            reason=row.reason,
            ip=row.ip,
            request_id=row.request_id,
        )


@strawberry.type(description="A job that was given up; it stays until somebody requeues it.")
class DeadLetter:
    id: strawberry.ID = strawberry.field(description="Starts with job_.")
    tenant_id: strawberry.ID | None = strawberry.field(description="Whose job; null is the platform's own.")
    queue: str = strawberry.field(description="The queue it was on.")
    kind: str = strawberry.field(description="What it was to do, such as `submit_payment`.")
    subjects: JSON = strawberry.field(description="The ids it was about.")
    attempts: int = strawberry.field(description="How often it was tried.")
    last_error: str | None = strawberry.field(description="Why the last try failed.")
    given_up_at: datetime | None = strawberry.field(description="When it was given up.")

    @classmethod
    def of(cls, found: platform.FoundDeadLetter) -> "DeadLetter":
        letter = found.letter
        tenant_id = None if found.tenant_id is None else outside(Kind.TENANT, found.tenant_id)
        return cls(
            id=strawberry.ID(outside(Kind.OUTBOX, letter.id)),
            tenant_id=None if tenant_id is None else strawberry.ID(tenant_id),
            queue=letter.queue,
            kind=letter.kind,
            subjects=JSON(letter.payload),
            attempts=letter.attempts,
            last_error=letter.last_error,
            given_up_at=letter.finished_at,
        )
