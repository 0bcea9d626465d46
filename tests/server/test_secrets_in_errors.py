"""What statements carry does not stand in errors: their text goes into logs."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from server.compose import process
from server.settings import Settings
from tenancy.context import Services
from tenancy.sessions import Tenant
from tests.databases import PostgresServer

SECRET = "the passkey of a business"
FAILING = text("SELECT 1 / 0 WHERE CAST(:secret AS text) IS NOT NULL")


async def test_of_a_tenant_s_database(services: Services, tenant: Tenant) -> None:
    served = await services.tenants.find(tenant.id)

    with pytest.raises(DBAPIError) as failure:
        async with served.transaction() as session:
            await session.execute(FAILING, {"secret": SECRET})

    assert SECRET not in str(failure.value)


async def test_of_the_owner_database(
    services: Services, postgres: PostgresServer, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    settings = Settings(
        database_url=services.owner.engine.url.render_as_string(hide_password=False),
        tenant_url=postgres.tenant_url(),
        redis_url=redis_url,
        data_dir=tmp_path_factory.mktemp("data"),
    )

    with pytest.raises(DBAPIError) as failure:
        async with (
            process(settings, connections=1, name="a-test") as here,
            here.services.owner.reading() as session,
        ):
            await session.execute(FAILING, {"secret": SECRET})

    assert SECRET not in str(failure.value)
