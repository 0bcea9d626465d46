"""People and their businesses over HTTP: from registering to being shut out, each within its time."""

import asyncio
import logging
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from time import monotonic
from typing import Any

import asyncpg
import httpx
import pytest

from tests.api import Api, Json
from tests.running import Running

log = logging.getLogger(__name__)

pytestmark = pytest.mark.timeout(180)

MAIL_WITHIN_S = 20.0
BITES_WITHIN_S = 10.0
POLL_S = 0.1
TOKENS = "session { accessToken refreshToken tenantId }"
PASSWORD = "a long and private phrase"


@dataclass(frozen=True, slots=True)
class Owner:
    """Somebody who registered a business, and proved their address."""

    email: str
    tenant: dict[str, Any]
    session: dict[str, Any]


@pytest.fixture
async def anybody(platform: Running) -> AsyncIterator[Api]:
    """The tenant endpoint without a token."""
    api = Api(platform.demo["graphql_url"])
    yield api
    await api.close()


@pytest.fixture(scope="module")
async def owner(platform: Running) -> AsyncIterator[Owner]:
    """Registered once for all tests: few are allowed from one address."""
    api = Api(platform.demo["graphql_url"])
    email = f"{secrets.token_hex(4)}@example.com"
    made = await api.succeed(
        "registerBusiness",
        f"{TOKENS} tenant {{ id code slug status }}",
        email=email,
        password=PASSWORD,
        name="Wanjiku",
        business={"name": "Duka la Wanjiku", "kind": "SMALL_BUSINESS"},
    )
    await until_active(api.signed_in(made["session"]["accessToken"]), made["tenant"]["id"])
    await api.succeed(
        "verifyEmail", "user { emailVerified }", secret=await mailed(platform, email, "Confirm")
    )
    yield Owner(email, made["tenant"], made["session"])
    await api.close()


async def mailed(platform: Running, address: str, subject: str) -> str:
    """The secret of the newest mail to an address."""
    async with asyncio.timeout(MAIL_WITHIN_S), httpx.AsyncClient(trust_env=False) as http:
        while True:
            response = await http.get(f"{platform.demo['sandbox_url']}/mailbox.json", params={"to": address})
            for mail in response.json():
                found = re.search(r"secret=(\S+)", mail["text"])
                if mail["subject"].startswith(subject) and found is not None:
                    return found[1]
            await asyncio.sleep(POLL_S)  # a mailbox tells nobody


async def until_active(api: Api, tenant_id: str) -> list[str]:
    """Watch a new business until it serves; gives the statuses it went through."""
    seen: list[str] = []
    watch = "subscription($id: ID!) { tenantStatus(tenantId: $id) { status } }"
    async with asyncio.timeout(MAIL_WITHIN_S), aclosing(api.stream(watch, id=tenant_id)) as events:
        async for event in events:
            seen.append(event["tenantStatus"]["status"])
            if seen[-1] == "ACTIVE":
                return seen
    raise AssertionError(f"the stream ended after {seen}")


async def refused_within(api: Api, query: str, code: str) -> float:
    """Seconds until a query that was answered is refused with `code`."""
    started = monotonic()
    async with asyncio.timeout(BITES_WITHIN_S):
        while True:
            body = (await api.raw(query)).json()
            codes = [error["extensions"]["code"] for error in body.get("errors", [])]
            if code in codes:
                return monotonic() - started
            assert not codes, body
            await asyncio.sleep(POLL_S)  # nothing tells a caller that it was shut out


async def past_the_grace(platform: Running) -> None:
    """Make every use of a refresh token longer ago than two tabs of one person may be apart."""
    connection = await asyncpg.connect(platform.service("HAZINA_DATABASE_URL").replace("+asyncpg", ""))
    await connection.execute("UPDATE refresh_tokens SET used_at = used_at - interval '1 minute'")
    await connection.close()


async def sign_in(api: Api, email: str, password: str = PASSWORD) -> dict[str, Any]:
    session: dict[str, Any] = (await api.succeed("signIn", TOKENS, email=email, password=password))["session"]
    return session


async def test_an_account_is_its_owners_alone_and_knows_its_business(anybody: Api, owner: Owner) -> None:
    signed = await sign_in(anybody, owner.email)
    refused = await anybody.do("signIn", TOKENS, email=owner.email, password="not the phrase")

    me = anybody.signed_in(signed["accessToken"])
    data = await me.ask(
        "{ me { email emailVerified } myTenants { role tenant { id status } } tenant { id } }"
    )
    assert refused["code"] == "WRONG_CREDENTIALS"
    assert data["me"] == {"email": owner.email, "emailVerified": True}
    assert data["myTenants"] == [{"role": "OWNER", "tenant": {"id": owner.tenant["id"], "status": "ACTIVE"}}]
    assert data["tenant"]["id"] == signed["tenantId"] == owner.tenant["id"]


async def test_another_business_is_made_and_switched_to_within_a_second(anybody: Api, owner: Owner) -> None:
    me = anybody.signed_in(owner.session["accessToken"])
    made = await me.succeed(
        "createBusiness", "tenant { id status }", business={"name": "Second", "kind": "INDIVIDUAL"}
    )
    seen = await until_active(me, made["tenant"]["id"])

    started = monotonic()
    switched = await me.succeed("switchTenant", TOKENS, tenantId=made["tenant"]["id"])
    there = anybody.signed_in(switched["session"]["accessToken"])
    answered = await there.ask("{ tenant { id } stores { nodes { id } } }")
    took_s = monotonic() - started

    log.info("switched in %.3f s, after %s", took_s, seen)
    assert took_s < 1
    assert answered["tenant"]["id"] == made["tenant"]["id"]
    back = await there.succeed("switchTenant", TOKENS, tenantId=owner.tenant["id"])
    assert back["session"]["tenantId"] == owner.tenant["id"]


async def test_nobody_switches_to_a_business_of_others(platform: Running, anybody: Api, owner: Owner) -> None:
    me = anybody.signed_in(owner.session["accessToken"])

    refused = await me.do("switchTenant", TOKENS, tenantId=platform.demo["tenant"]["id"])

    assert refused["code"] == "NOT_A_MEMBER"


async def test_an_invited_person_joins_and_a_new_role_bites_in_time(
    platform: Running, anybody: Api, owner: Owner
) -> None:
    me = anybody.signed_in(owner.session["accessToken"])
    email = f"{secrets.token_hex(4)}@example.com"
    await me.succeed("inviteMember", "invitation { id }", email=email, role="ADMIN")
    joined = await anybody.succeed(
        "acceptInvitation",
        TOKENS,
        secret=await mailed(platform, email, "You are invited"),
        name="Otieno",
        password=PASSWORD,
    )
    them = anybody.signed_in(joined["session"]["accessToken"])
    members = (await them.ask("{ members { userId email role } }"))["members"]
    assert {member["email"]: member["role"] for member in members} == {email: "ADMIN", owner.email: "OWNER"}
    (user_id,) = [member["userId"] for member in members if member["email"] == email]

    await me.succeed(
        "changeMemberRole", "member { role }", userId=user_id, role="CASHIER", reason="Only the till"
    )

    took_s = await refused_within(them, "{ auditLog { nodes { id } } }", "FORBIDDEN")
    log.info("the new role bit after %.2f s", took_s)
    assert (await them.ask("{ payments { nodes { id } } }"))["payments"]["nodes"] == []


async def test_a_new_password_ends_the_sessions_of_the_old_one(
    platform: Running, anybody: Api, owner: Owner
) -> None:
    email = f"{secrets.token_hex(4)}@example.com"
    me = anybody.signed_in(owner.session["accessToken"])
    await me.succeed("inviteMember", "invitation { id }", email=email, role="VIEWER")
    joined = await anybody.succeed(
        "acceptInvitation",
        TOKENS,
        secret=await mailed(platform, email, "You are invited"),
        name="Achieng",
        password=PASSWORD,
    )
    them = anybody.signed_in(joined["session"]["accessToken"])
    await them.ask("{ me { email } }")

    await anybody.succeed("requestPasswordReset", "ok", email=email)
    secret = await mailed(platform, email, "Set a new password")
    await anybody.succeed("resetPassword", "ok", secret=secret, password="another private phrase")

    took_s = await refused_within(them, "{ me { email } }", "NOT_SIGNED_IN")
    log.info("the old session ended after %.2f s", took_s)
    refused = await anybody.do("refreshSession", TOKENS, refreshToken=joined["session"]["refreshToken"])
    assert refused["code"] == "SESSION_ENDED"
    again = await anybody.do("resetPassword", "ok", secret=secret, password="a third private phrase")
    assert again["code"] == "LINK_INVALID"
    await sign_in(anybody, email, "another private phrase")


async def test_a_refresh_token_used_twice_ends_its_session(
    platform: Running, anybody: Api, owner: Owner
) -> None:
    first = await sign_in(anybody, owner.email)
    renewed = await anybody.succeed("refreshSession", TOKENS, refreshToken=first["refreshToken"])
    await anybody.signed_in(renewed["session"]["accessToken"]).ask("{ me { email } }")
    await past_the_grace(platform)

    stolen = await anybody.do("refreshSession", TOKENS, refreshToken=first["refreshToken"])
    after = await anybody.do("refreshSession", TOKENS, refreshToken=renewed["session"]["refreshToken"])

    assert (stolen["code"], after["code"]) == ("SESSION_ENDED", "SESSION_ENDED")
    thief = anybody.signed_in(renewed["session"]["accessToken"])
    took_s = await refused_within(thief, "{ me { email } }", "NOT_SIGNED_IN")
    log.info("its access token ended after %.2f s", took_s)


async def test_nobody_but_staff_signs_in_on_the_owner_schema(
    platform: Running, staff: Api, owner: Owner
) -> None:
    endpoint = Api(platform.demo["owner_graphql_url"])
    response = await endpoint.raw(
        "mutation($input: SignInInput!) { signIn(input: $input) { __typename ... on Error { code } } }",
        input={"email": owner.email, "password": PASSWORD},
    )
    tenant_token = endpoint.signed_in(owner.session["accessToken"])
    crossed = (await tenant_token.raw("{ tenants { nodes { id } } }")).json()
    await endpoint.close()

    assert response.json()["data"]["signIn"]["code"] == "NOT_SIGNED_IN"
    assert crossed["errors"][0]["extensions"]["code"] == "NOT_SIGNED_IN"
    assert (await staff.ask("{ me { email } }"))["me"]["email"] == platform.demo["admin_user"]["email"]


async def whole_audit_log(staff: Api) -> list[Json]:
    """Every row, page by page: all tests of the system write into one log."""
    rows: list[Json] = []
    after = "null"
    while after != "":
        page = await staff.ask(
            f"{{ auditLog(first: 100, after: {after}) {{ pageInfo {{ hasNextPage endCursor }}"
            " nodes { action actorKind actorId ip requestId subject } } }"
        )
        log = page["auditLog"]
        rows += log["nodes"]
        after = f'"{log["pageInfo"]["endCursor"]}"' if log["pageInfo"]["hasNextPage"] else ""
    return rows


async def test_every_change_left_an_audit_row(staff: Api, owner: Owner) -> None:
    rows = await whole_audit_log(staff)

    by_people = {
        *("register_business", "sign_in", "verify_email", "switch_tenant", "invite_member"),
        *("accept_invitation", "change_member_role", "request_password_reset", "reset_password"),
    }
    assert by_people <= {row["action"] for row in rows}, sorted({row["action"] for row in rows})
    for row in rows:
        if row["action"] in by_people and row["ip"] == "127.0.0.1":
            assert row["requestId"], row
    assert any(row["subject"] == owner.tenant["id"] for row in rows)
