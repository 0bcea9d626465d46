"""Every operation of the SDL, replayed with another business's ids, cursors and names.

A new field or argument fails these tests until it has a row in `arguments`.
"""

import asyncio
import json
from contextlib import suppress
from typing import Any, Final

import pytest
from graphql import get_named_type

from schema.admitting import CHECKOUT_FIELDS
from schema.exchange import Outcome
from tenancy.context import Services, TenantContext
from tenancy.sessions import Tenant
from tests.factories.callers import run, watching
from tests.isolation.arguments import INSTEAD, TELLS_NO_NAMES, VICTIMS, values_for
from tests.isolation.documents import RootField, document, input_paths, root_fields, tenant_sdl, variables
from tests.isolation.given import REQUIRED_KINDS, VALUES
from tests.isolation.world import MARK, PASSWORD, Party, contents, make_party

SCHEMA = tenant_sdl()
FIELDS: Final = {root.path: root for root in root_fields(SCHEMA)}

AT_ONCE_S: Final = 2.0
PATIENCE_S: Final = 20.0


@pytest.fixture
async def attacker(services: Services, tenant: Tenant) -> Party:
    return await make_party(services, tenant, "Otieno")


@pytest.fixture
async def victim(services: Services, second_tenant: Tenant) -> Party:
    return await make_party(services, second_tenant, MARK)


def test_every_argument_has_a_case() -> None:
    missing, known = [], set()
    for root in FIELDS.values():
        for path, field in input_paths(root).items():
            full, name = f"{root.path}.{path}", path.rpartition(".")[2]
            if get_named_type(field.type).name == "ID":
                known.add(full)
                if full not in VICTIMS | INSTEAD:
                    missing.append(full)
            elif (
                name != "after"
                and name not in VALUES
                and get_named_type(field.type).name not in REQUIRED_KINDS
            ):
                missing.append(full)

    assert not missing
    assert VICTIMS.keys() | INSTEAD.keys() == known


async def answers(party: Party, root: RootField, values: dict[str, Any]) -> list[Outcome]:
    """What `party` is told; of a subscription, what comes at once."""
    if root.kind == "subscription":
        return await events_at_once(party, root, values)
    return [await run(context_of(party, root), document(SCHEMA, root), **variables(root, values))]


async def events_at_once(party: Party, root: RootField, values: dict[str, Any]) -> list[Outcome]:
    told: list[Outcome] = []
    context, text, sent = context_of(party, root), document(SCHEMA, root), variables(root, values)
    async with watching(context, text, **sent) as events:
        with suppress(TimeoutError):
            async with asyncio.timeout(AT_ONCE_S):
                async for outcome in events:
                    told.append(outcome)  # noqa: PERF401 - what came before the time is up counts
    return told


async def first_answer(party: Party, root: RootField, values: dict[str, Any]) -> Outcome:
    context, text, sent = context_of(party, root), document(SCHEMA, root), variables(root, values)
    async with asyncio.timeout(PATIENCE_S), watching(context, text, **sent) as events:
        return await anext(events)


def context_of(party: Party, root: RootField) -> TenantContext:
    return party.payer if root.name in CHECKOUT_FIELDS else party.context


async def all_answers(party: Party, whose: Party) -> dict[str, list[Outcome]]:
    """What `party` is told when it names what is `whose`; all subscriptions wait at the same time."""
    watched = [root for root in FIELDS.values() if root.kind == "subscription"]
    events = await asyncio.gather(*[events_at_once(party, one, values_for(one, whose)) for one in watched])
    told = {root.path: one for root, one in zip(watched, events, strict=True)}
    for path, root in FIELDS.items():
        if path not in told:
            told[path] = await answers(party, root, values_for(root, whose))
    return told


def leaks(told: list[Outcome], victim: Party, sent: dict[str, Any]) -> list[str]:
    """What of the victim's is in the answers, apart from what was sent."""
    body = json.dumps([outcome.body for outcome in told], default=str)
    secrets = [MARK, MARK.lower(), *victim.ids.values()]
    return [secret for secret in secrets if secret in body and secret not in json.dumps(sent)]


async def test_nothing_of_another_business_is_told_or_changed(
    services: Services, attacker: Party, victim: Party
) -> None:
    before = await contents(services.owner, victim)
    problems: dict[str, object] = {}
    for path, told in (await all_answers(attacker, victim)).items():
        sent = values_for(FIELDS[path], victim)
        if any(outcome.is_request_error for outcome in told):
            # Refused for its shape, it would prove nothing.
            problems[path] = told[0].body
        elif found := leaks(told, victim, sent):
            problems[path] = found

    assert problems == {}
    assert await contents(services.owner, victim) == before


async def test_the_same_operations_show_a_business_its_own(victim: Party) -> None:
    problems: dict[str, object] = {}
    for path, root in FIELDS.items():
        if root.kind == "mutation":
            continue
        told = await first_answer(victim, root, values_for(root, victim))
        body = json.dumps(told.body, default=str)
        is_own = path in TELLS_NO_NAMES or MARK in body or any(id_ in body for id_ in victim.ids.values())
        if "errors" in told.body or not is_own:
            problems[path] = body

    assert problems == {}


async def test_what_may_be_named_instead_is_no_way_around(
    services: Services, attacker: Party, victim: Party
) -> None:
    before = await contents(services.owner, victim)
    for path, (other, thing) in INSTEAD.items():
        root_path, _, own = path.partition(".input.")
        root = FIELDS[root_path]
        sent = {**values_for(root, attacker), f"input.{own}": victim.ids[thing]}
        sent.pop(other)
        told = await answers(attacker, root, sent)
        assert "data" in told[0].body, told[0].body
        assert told[0].body["data"][root.name]["__typename"] == "NotFoundError"
        assert leaks(told, victim, sent) == []

    assert await contents(services.owner, victim) == before


async def test_a_link_to_pay_opens_nothing_but_its_own_page(services: Services, victim: Party) -> None:
    before = await contents(services.owner, victim)
    problems: dict[str, object] = {}
    for path, root in FIELDS.items():
        if root.name in CHECKOUT_FIELDS:
            continue
        sent = variables(root, values_for(root, victim))
        async with watching(victim.payer, document(SCHEMA, root), **sent) as events:
            told = [outcome async for outcome in events]
        codes = [error["extensions"]["code"] for one in told for error in one.body.get("errors", [])]
        if codes != ["FORBIDDEN"] or "data" in told[0].body:
            problems[path] = [one.body for one in told]

    assert problems == {}
    assert await contents(services.owner, victim) == before


async def test_a_page_is_no_place_for_other_credentials(victim: Party) -> None:
    for name in sorted(CHECKOUT_FIELDS):
        (root,) = [root for root in FIELDS.values() if root.name == name]
        sent = variables(root, values_for(root, victim))
        async with watching(victim.context, document(SCHEMA, root), **sent) as events:
            (told,) = [outcome async for outcome in events]
        assert "NOT_SIGNED_IN" in json.dumps(told.body), name


async def test_a_cursor_of_another_business_is_refused(attacker: Party, victim: Party) -> None:
    problems: dict[str, object] = {}
    for path, root in FIELDS.items():
        if "after" not in input_paths(root):
            continue
        own = {**values_for(root, attacker), "after": attacker.cursor}
        (good,) = await answers(attacker, root, own)
        (told,) = await answers(attacker, root, {**own, "after": victim.cursor})
        codes = [error["extensions"]["code"] for error in told.body.get("errors", [])]
        if "errors" in good.body or codes != ["INVALID_INPUT"]:
            problems[path] = (good.body, codes)

    assert problems == {}


async def test_the_same_idempotency_key_is_another_key_in_another_business(
    attacker: Party, victim: Party
) -> None:
    root = FIELDS["mutation.initiatePayment"]
    paid = {}
    for party in (attacker, victim):
        values = {**values_for(root, party), "input.orderReference": "new"}
        (told,) = await answers(party, root, values)
        success = told.body["data"]["initiatePayment"]
        assert success["__typename"] == "InitiatePaymentSuccess", success
        paid[party.tenant.id] = success["payment"]["id"]

    assert len(set(paid.values())) == 2


async def test_a_password_of_another_business_s_user_opens_only_their_own(
    services: Services, attacker: Party, victim: Party
) -> None:
    root = FIELDS["mutation.signIn"]
    values = {"input.email": victim.user.email, "input.password": PASSWORD}

    (told,) = await answers(attacker, root, values)

    session = told.body["data"]["signIn"]["session"]
    claims = await services.tokens.verify(session["accessToken"], "tenant")
    assert claims.user_id == victim.user.id
