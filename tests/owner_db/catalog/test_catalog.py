"""The catalog as it is shipped."""

import jsonschema
import pytest
from sqlalchemy import select, update

from core.currency import Currency
from core.offers import ProviderStatus
from owner_db.catalog.errors import ProviderUnknown
from owner_db.catalog.models import PaymentProvider
from owner_db.catalog.providers import enabled_provider, enabled_providers, known_provider, point_provider_at
from owner_db.catalog.seeding import ensure_catalog
from owner_db.tiers.reading import all_tiers
from tenancy.sessions import OwnerDatabase

CODES = ["mpesa", "swypt", "stripe", "paystack", "flutterwave"]


@pytest.fixture
async def catalog(owner: OwnerDatabase) -> OwnerDatabase:
    async with owner.transaction() as session:
        await ensure_catalog(session)
    return owner


async def test_five_providers_are_known_the_most_recommended_first(catalog: OwnerDatabase) -> None:
    async with catalog.reading() as session:
        assert [provider.code for provider in await enabled_providers(session)] == CODES


async def test_loading_the_catalog_again_keeps_what_staff_changed(catalog: OwnerDatabase) -> None:
    async with catalog.transaction() as session:
        await session.execute(
            update(PaymentProvider).where(PaymentProvider.code == "stripe").values(name="Cards")
        )
    async with catalog.transaction() as session:
        await ensure_catalog(session)

    async with catalog.reading() as session:
        assert len(await enabled_providers(session)) == len(CODES)
        assert (await enabled_provider(session, "stripe")).name == "Cards"


async def test_a_release_of_changes_is_applied_once_even_where_staff_went_back(
    catalog: OwnerDatabase,
) -> None:
    first = ["collect", "query", "refund", "webhook"]
    async with catalog.reading() as session:
        stripe = await enabled_provider(session, "stripe")
    assert "capture" in stripe.features
    assert stripe.currencies[Currency.USD].fee_bps == 290
    async with catalog.transaction() as session:
        await session.execute(
            update(PaymentProvider).where(PaymentProvider.code == "stripe").values(features=first)
        )
    async with catalog.transaction() as session:
        await ensure_catalog(session)

    async with catalog.reading() as session:
        assert (await enabled_provider(session, "stripe")).features == first


@pytest.mark.parametrize("code", CODES)
async def test_a_config_schema_is_valid_and_marks_its_secrets(catalog: OwnerDatabase, code: str) -> None:
    async with catalog.reading() as session:
        provider = await enabled_provider(session, code)

    schema = dict(provider.config_schema)
    jsonschema.Draft202012Validator.check_schema(schema)
    secret = {name for name, field in schema["properties"].items() if field.get("writeOnly")}
    named_secret = {"key", "secret", "password", "passkey", "hash"}
    for name in schema["properties"]:
        is_public = name.startswith(("public", "publishable"))
        assert (name in secret) == (bool(named_secret & set(name.split("_"))) and not is_public)


async def test_mpesa_takes_one_to_a_quarter_of_a_million_shillings(catalog: OwnerDatabase) -> None:
    async with catalog.reading() as session:
        limits = (await enabled_provider(session, "mpesa")).currencies[Currency.KES]

    assert (limits.min_minor, limits.max_minor) == (100, 25_000_000)


@pytest.mark.parametrize("code", CODES)
async def test_a_poll_ladder_only_climbs(catalog: OwnerDatabase, code: str) -> None:
    async with catalog.reading() as session:
        ladder = (await enabled_provider(session, code)).settings["poll_ladder_s"]

    assert ladder == sorted(set(ladder))
    assert ladder[-1] >= 86_400


async def test_only_sandbox_accounts_can_be_redirected(catalog: OwnerDatabase) -> None:
    async with catalog.transaction() as session:
        await point_provider_at(session, "mpesa", "http://127.0.0.1:8001/mpesa/")

    async with catalog.reading() as session:
        provider = await enabled_provider(session, "mpesa")
    assert provider.base_url("sandbox") == "http://127.0.0.1:8001/mpesa"
    assert provider.base_url("production") == "https://api.safaricom.co.ke"


@pytest.mark.parametrize(
    "url", ["http://sandbox.example.com", "http://10.0.0.1", "ftp://127.0.0.1", "127.0.0.1:8001", ""]
)
async def test_plain_http_goes_to_this_machine_alone(catalog: OwnerDatabase, url: str) -> None:
    async with catalog.transaction() as session:
        with pytest.raises(ValueError, match="neither https nor on this machine"):
            await point_provider_at(session, "mpesa", url)


async def test_a_provider_that_is_switched_off_or_missing_is_unknown(catalog: OwnerDatabase) -> None:
    async with catalog.transaction() as session:
        await session.execute(
            update(PaymentProvider).where(PaymentProvider.code == "swypt").values(is_enabled=False)
        )

    async with catalog.reading() as session:
        for code in ("swypt", "nobody"):
            with pytest.raises(ProviderUnknown):
                await enabled_provider(session, code)
        # The revision before knows this column alone; open payments are asked about all the same.
        assert (await known_provider(session, "swypt")).status is ProviderStatus.INACTIVE
        assert await session.scalar(select(PaymentProvider.code).where(PaymentProvider.code == "swypt"))


async def test_tiers_grow(catalog: OwnerDatabase) -> None:
    async with catalog.reading() as session:
        tiers = await all_tiers(session)

    assert [tier.code for tier in tiers] == ["free", "small_business", "enterprise"]
    # A hundred mixed requests a second, at some 200 units for a page of 20 payments.
    assert tiers[-1].request_units_per_s >= 100 * 200
