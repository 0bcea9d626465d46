"""Who registers, and by what password."""

import pytest

from core.errors import InvalidInput
from core.tenant import TenantKind
from owner_db.users.errors import WeakPassword
from owner_db.users.signing_in import new_account
from resolvers.registering import NewBusiness, Registration, register_business
from tenancy.context import Services, TenantContext
from tests.factories.callers import REQUEST
from tests.factories.users import PASSWORD


@pytest.mark.parametrize("password", ["Wanjiru.Kamau@example.com", "wanjiru.kamau"])
async def test_an_address_is_no_password(services: Services, password: str) -> None:
    business = NewBusiness("Duka", TenantKind.INDIVIDUAL, "KE")
    new = Registration("wanjiru.kamau@example.com", password, "Wanjiru", business)

    with pytest.raises(WeakPassword):
        await register_business(TenantContext(services, REQUEST), new)


async def test_a_name_that_would_write_lines_of_a_mail_is_refused() -> None:
    with pytest.raises(InvalidInput, match="one line"):
        await new_account("Wanjiru,\n\nfollow https://evil.example", PASSWORD)
