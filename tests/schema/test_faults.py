"""What clients send can not make our alarms ring."""

from tenancy.context import Services, TenantContext
from tests.factories.callers import REQUEST, refusal_of

SIGN_IN = 'mutation($email: String!) { signIn(input: {email: $email, password: "x"}) { __typename } }'


async def test_a_character_that_no_database_holds_is_the_client_s_mistake(services: Services) -> None:
    anybody = TenantContext(services, REQUEST)

    assert await refusal_of(anybody, SIGN_IN, email="a\u0000b@example.com") == "BAD_USER_INPUT"
