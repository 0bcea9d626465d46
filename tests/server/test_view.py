"""GraphQL over HTTP: what clients of every kind get, and what is refused."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest

from core.errors import DomainError
from server.view import ViewOptions
from tenancy.errors import Capacity, RateLimited, TenantSuspended, WrongTenant
from tests.server.toy_app import Callers, toy_application

URL = "http://test/graphql"
PREFLIGHT = {"GraphQL-Require-Preflight": "1"}
MODERN = {"Accept": "application/graphql-response+json"}


@pytest.fixture
def callers() -> Callers:
    return Callers()


@pytest.fixture
async def client(callers: Callers) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=toy_application(callers))
    async with httpx.AsyncClient(transport=transport) as client:
        yield client


def code_of(response: httpx.Response) -> str:
    code: str = response.json()["errors"][0]["extensions"]["code"]
    return code


async def test_a_query_needs_no_token(client: httpx.AsyncClient) -> None:
    response = await client.post(URL, json={"query": "{ __typename }"})

    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    assert response.json()["data"] == {"__typename": "Query"}


async def test_the_answer_says_what_it_cost_and_what_is_left(client: httpx.AsyncClient) -> None:
    response = await client.post(URL, json={"query": "{ toys(first: 2) { nodes { id } } }"})

    assert response.json()["extensions"]["cost"]["requested"] == 3
    assert response.headers["ratelimit-limit"] == "1000"
    assert response.headers["ratelimit-remaining"] == "1000"
    assert response.headers["ratelimit-reset"] == "0"


async def test_a_token_that_proves_nothing_is_401_in_json(client: httpx.AsyncClient) -> None:
    response = await client.post(
        URL, json={"query": "{ __typename }"}, headers={"Authorization": "Bearer no"}
    )

    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert code_of(response) == "NOT_SIGNED_IN"


@pytest.mark.parametrize(
    ("error", "status", "retry_after"),
    [
        (WrongTenant(), 403, None),
        (TenantSuspended(), 403, None),
        (Capacity(), 503, "1"),
        (RateLimited(9), 429, "9"),
    ],
)
async def test_a_refusal_of_the_caller_has_its_status(
    client: httpx.AsyncClient,
    callers: Callers,
    error: DomainError,
    status: int,
    retry_after: str | None,
) -> None:
    callers.failure = error

    response = await client.post(URL, json={"query": "{ __typename }"})

    assert response.status_code == status
    assert response.headers.get("retry-after") == retry_after
    assert code_of(response) == error.code


async def test_a_bug_in_who_calls_is_masked(client: httpx.AsyncClient, callers: Callers) -> None:
    callers.failure = RuntimeError("secret detail")

    response = await client.post(URL, json={"query": "{ __typename }"})

    assert response.status_code == 500
    assert code_of(response) == "INTERNAL_ERROR"
    assert "secret detail" not in response.text


BROKEN = {
    "parse": "{",
    "validation": "{ nowhere }",
    "coercion": "query ($n: Int!) { toys(first: $n) { nodes { id } } }",
}


@pytest.mark.parametrize("query", BROKEN.values(), ids=BROKEN.keys())
async def test_a_broken_request_is_400_only_for_the_new_media_type(
    client: httpx.AsyncClient, query: str
) -> None:
    old = await client.post(URL, json={"query": query})
    new = await client.post(URL, json={"query": query}, headers=MODERN)

    assert (old.status_code, new.status_code) == (200, 400)
    assert new.headers["content-type"] == "application/graphql-response+json"
    assert "data" not in new.json()


async def test_a_field_error_is_200_with_data(client: httpx.AsyncClient) -> None:
    response = await client.post(URL, json={"query": "{ refused forks }"}, headers=MODERN)

    assert response.status_code == 200
    assert response.json()["data"] == {"refused": None, "forks": 0}


HOSTILE_BODIES: dict[str, tuple[bytes, str]] = {
    "bad UTF-8": (b'{"query": "\xff"}', "BAD_JSON"),
    "no JSON": (b"query=1", "BAD_JSON"),
    "a bare number": (b"7", "BAD_REQUEST"),
    "a deep array": (b"[" * 100_000, "BAD_JSON"),
    "an array of operations": (b'[{"query":"{forks}"}]', "BAD_REQUEST"),
    "an empty body": (b"", "BAD_JSON"),
    "no query": (b"{}", "MISSING_DOCUMENT"),
    "an empty query": (b'{"query":""}', "MISSING_DOCUMENT"),
    "a query that is a number": (b'{"query":7}', "BAD_REQUEST"),
    "variables that are a list": (b'{"query":"{forks}","variables":[1]}', "BAD_REQUEST"),
    "a name that is an object": (b'{"query":"{forks}","operationName":{}}', "BAD_REQUEST"),
    "extensions that are a string": (b'{"query":"{forks}","extensions":"a"}', "BAD_REQUEST"),
    "a document id of another kind": (b'{"documentId":"7"}', "BAD_REQUEST"),
    "a hash that is a number": (b'{"extensions":{"persistedQuery":{"sha256Hash":7}}}', "BAD_REQUEST"),
    "a lone surrogate": (b'{"query":"{ echo(text: \\"\\ud800\\") }"}', "BAD_JSON"),
}


@pytest.mark.parametrize(("body", "code"), HOSTILE_BODIES.values(), ids=HOSTILE_BODIES.keys())
async def test_a_hostile_body_is_400_in_json(client: httpx.AsyncClient, body: bytes, code: str) -> None:
    response = await client.post(URL, content=body, headers={"Content-Type": "application/json"})

    assert response.status_code == 400
    assert code_of(response) == code


@pytest.mark.parametrize(
    "content_type", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", ""]
)
async def test_what_a_form_can_send_is_refused(client: httpx.AsyncClient, content_type: str) -> None:
    response = await client.post(URL, content=b"query={forks}", headers={"Content-Type": content_type})

    assert response.status_code == 415
    assert code_of(response) == "UNSUPPORTED_MEDIA_TYPE"


async def test_get_runs_queries(client: httpx.AsyncClient) -> None:
    parameters = {
        "query": "query A($n: Int!) { toys(first: $n) { nodes { id } } }",
        "variables": '{"n": 1}',
        "operationName": "A",
    }
    response = await client.get(URL, params=parameters, headers=PREFLIGHT)

    assert len(response.json()["data"]["toys"]["nodes"]) == 1


async def test_get_without_a_header_no_form_can_send_is_refused(client: httpx.AsyncClient) -> None:
    response = await client.get(URL, params={"query": "{ forks }"})

    assert response.status_code == 400
    assert code_of(response) == "CSRF_HEADER_MISSING"


async def test_a_mutation_by_get_is_405(client: httpx.AsyncClient) -> None:
    query = 'mutation { play(input: {name: "a"}) { __typename } }'
    response = await client.get(URL, params={"query": query}, headers=PREFLIGHT)

    assert response.status_code == 405
    assert response.headers["allow"] == "POST"
    assert code_of(response) == "MUTATION_NEEDS_POST"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
async def test_other_methods_are_405(callers: Callers, method: str) -> None:
    transport = httpx.ASGITransport(app=toy_application(callers))
    async with httpx.AsyncClient(transport=transport) as client:
        response = await client.request(method, URL, json={"query": "{ forks }"})

    assert response.status_code == 405
    assert "POST" in response.headers["allow"]


async def test_a_subscription_by_plain_post_is_told_where_to_go(client: httpx.AsyncClient) -> None:
    response = await client.post(URL, json={"query": "subscription { count }"})

    assert response.status_code == 400
    assert code_of(response) == "SUBSCRIPTION_NEEDS_STREAM"


async def test_an_unknown_document_id_is_refused(client: httpx.AsyncClient) -> None:
    by_apollo: dict[str, Any] = {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}}}

    for body in (by_apollo, {"documentId": "sha256:" + "0" * 64}):
        assert code_of(await client.post(URL, json=body)) == "PERSISTED_DOCUMENT_NOT_FOUND"


async def test_graphiql_is_shown_only_where_it_is_on(callers: Callers) -> None:
    shown = httpx.ASGITransport(app=toy_application(callers, options=ViewOptions(ide="graphiql")))
    hidden = httpx.ASGITransport(app=toy_application(callers))
    page = {"Accept": "text/html"}
    async with httpx.AsyncClient(transport=shown) as on, httpx.AsyncClient(transport=hidden) as off:
        assert "GraphiQL" in (await on.get(URL, headers=page)).text
        assert (await off.get(URL, headers=page)).status_code == 404


async def test_big_numbers_are_not_rounded_on_the_way_in(client: httpx.AsyncClient) -> None:
    query = 'mutation ($p: MoneyInput) { play(input: {name: "a", price: $p}) { __typename } }'
    body = orjson.dumps({"query": query, "variables": {"p": {"amountMinor": "9" * 38, "currency": "KES"}}})
    unquoted = body.replace(b'"' + b"9" * 38 + b'"', b"9" * 38)

    good = await client.post(URL, content=body, headers={"Content-Type": "application/json"})
    bad = await client.post(URL, content=unquoted, headers={"Content-Type": "application/json"})

    assert good.json()["data"] == {"play": {"__typename": "PlaySuccess"}}
    assert code_of(bad) == "BAD_USER_INPUT"
