"""The catalog promises what adapters keep, and asks tenants for what they need."""

import pytest

from core.collecting import Feature
from integrations.account import Integration
from integrations.registry import BUILT_IN
from owner_db.catalog.providers import enabled_provider
from tenancy.sessions import OwnerDatabase


@pytest.mark.parametrize("integration", BUILT_IN, ids=lambda integration: integration.code)
async def test_the_catalog_says_of_a_provider_what_its_adapter_can_do(
    owner: OwnerDatabase, integration: Integration
) -> None:
    async with owner.reading() as session:
        listed = await enabled_provider(session, integration.code)
    asked = listed.config_schema["properties"]
    secret = {name for name, field in asked.items() if field.get("writeOnly")}

    assert set(listed.features) - {Feature.PAYOUT} == set(integration.features) - {Feature.PAYOUT}
    assert set(integration.public_details) <= asked.keys() - secret
    if integration.webhooks is not None:
        assert set(integration.webhooks.secret_names) <= secret
