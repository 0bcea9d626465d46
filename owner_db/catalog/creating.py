"""Adds a provider to the catalog: every tenant sees it at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.dialects.postgresql import insert

from core.clock import utc_now
from core.ids import new_id
from core.offers import IntegrationType, ProviderStatus
from owner_db.catalog import rules
from owner_db.catalog.currencies import NewCurrency, set_currency
from owner_db.catalog.errors import ProviderCodeTaken
from owner_db.catalog.models import PaymentProvider
from owner_db.catalog.providers import Provider, known_provider
from tenancy.sessions import OwnerSession


@dataclass(frozen=True, slots=True)
class NewProvider:
    """A payment system as staff enter it.

    Raises:
        InvalidInput: something that can't stand in the catalog.
    """

    code: str
    name: str
    api_base_url: str
    sandbox_api_base_url: str
    methods: Sequence[str]
    features: Sequence[str]
    config_schema: Mapping[str, Any]
    integration_type: IntegrationType
    settings: Mapping[str, Any] = field(default_factory=dict)
    recommendation: int = 100
    status: ProviderStatus = ProviderStatus.BETA
    logo_url: str | None = None
    documentation_url: str | None = None
    currencies: Sequence[NewCurrency] = ()

    def __post_init__(self) -> None:
        rules.require_code(self.code)
        rules.require_name(self.name)
        rules.require_base_url("apiBaseUrl", self.api_base_url)
        rules.require_base_url("sandboxApiBaseUrl", self.sandbox_api_base_url)
        rules.require_methods(self.methods)
        rules.require_features(self.features)
        rules.require_config_schema(self.config_schema)
        rules.require_settings(self.settings)
        rules.require_recommendation(self.recommendation)
        rules.require_public_url("logoUrl", self.logo_url)
        rules.require_public_url("documentationUrl", self.documentation_url)


async def create_provider(session: OwnerSession, new: NewProvider) -> Provider:
    """Write the provider with its currencies.

    Raises:
        ProviderCodeTaken: the catalog has one of this code.
    """
    id_ = await session.scalar(
        insert(PaymentProvider)
        .values(
            id=new_id(),
            created_at=utc_now(),
            code=new.code,
            name=new.name,
            api_base_url=new.api_base_url.rstrip("/"),
            sandbox_api_base_url=new.sandbox_api_base_url.rstrip("/"),
            methods=list(new.methods),
            features=list(new.features),
            config_schema=dict(new.config_schema),
            settings=dict(new.settings),
            recommendation=new.recommendation,
            is_enabled=new.status is not ProviderStatus.INACTIVE,
            status=new.status.value,
            integration_type=new.integration_type.value,
            logo_url=new.logo_url,
            documentation_url=new.documentation_url,
        )
        .on_conflict_do_nothing(index_elements=["code"])
        .returning(PaymentProvider.id)
    )
    if id_ is None:
        raise ProviderCodeTaken(new.code)
    for currency in new.currencies:
        await set_currency(session, new.code, currency)
    return await known_provider(session, new.code)
