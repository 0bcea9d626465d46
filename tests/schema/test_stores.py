"""Stores over the tenant schema."""

from core.ids import Kind, new_id, outside
from tenancy.context import Services
from tenancy.roles import Role
from tenancy.sessions import Tenant
from tests.factories.callers import ask, caller, refusal_of
from tests.factories.stores import make_store

CREATE = """
mutation ($input: CreateStoreInput!) {
  createStore(input: $input) {
    __typename
    ... on CreateStoreSuccess { store { id name code timeZone closedAt } }
    ... on Error { code message }
    ... on StoreCodeTakenError { storeCode }
    ... on InvalidInputError { field }
  }
}
"""
LIST = """
query ($first: Int!, $after: String) {
  stores(first: $first, after: $after) { nodes { code } pageInfo { hasNextPage endCursor } }
}
"""
ONE = "query ($id: ID!) { store(id: $id) { id code } node(id: $id) { __typename id } }"


async def test_a_store_is_opened_and_read_back(services: Services, tenant: Tenant) -> None:
    owner = await caller(services, tenant)

    created = await ask(owner, CREATE, input={"name": "Main", "code": "main"})

    store = created["createStore"]["store"]
    assert (store["name"], store["code"], store["timeZone"]) == ("Main", "main", "Africa/Nairobi")
    found = await ask(owner, ONE, id=store["id"])
    assert found["store"] == {"id": store["id"], "code": "main"}
    assert found["node"] == {"__typename": "Store", "id": store["id"]}


async def test_opening_a_store_is_audited(services: Services, tenant: Tenant) -> None:
    owner = await caller(services, tenant)
    created = await ask(owner, CREATE, input={"name": "Main", "code": "main"})

    log = await ask(owner, "{ auditLog { nodes { action subject actorKind actorId ip requestId } } }")

    assert log["auditLog"]["nodes"] == [
        {
            "action": "create_store",
            "subject": created["createStore"]["store"]["id"],
            "actorKind": "user",
            "actorId": outside(Kind.USER, owner.signed_in().id),
            "ip": "192.0.2.7",
            "requestId": "request-1",
        }
    ]


async def test_a_code_names_one_store(services: Services, tenant: Tenant) -> None:
    owner = await caller(services, tenant)
    await ask(owner, CREATE, input={"name": "Main", "code": "main"})

    again = await ask(owner, CREATE, input={"name": "Other", "code": "main"})

    refusal = again["createStore"]
    assert (refusal["__typename"], refusal["code"]) == ("StoreCodeTakenError", "STORE_CODE_TAKEN")
    assert refusal["storeCode"] == "main"


async def test_what_is_malformed_names_its_field(services: Services, tenant: Tenant) -> None:
    owner = await caller(services, tenant)

    for changed in ({"name": " "}, {"code": "Main"}, {"timeZone": "Nairobi"}):
        refusal = await ask(owner, CREATE, input={"name": "Main", "code": "main", **changed})
        assert refusal["createStore"]["field"] == next(iter(changed))


async def test_pages_follow_each_other_to_the_end(services: Services, tenant: Tenant) -> None:
    for number in range(5):
        await make_store(tenant, f"s{number}")
    owner = await caller(services, tenant)

    codes, after, has_next = [], None, True
    while has_next:
        page = (await ask(owner, LIST, first=2, after=after))["stores"]
        codes += [node["code"] for node in page["nodes"]]
        after, has_next = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]

    assert codes == ["s4", "s3", "s2", "s1", "s0"]


async def test_a_role_without_the_scope_is_refused(services: Services, tenant: Tenant) -> None:
    viewer = await caller(services, tenant, Role.VIEWER)

    refusal = await ask(viewer, CREATE, input={"name": "Main", "code": "main"})

    assert refusal["createStore"]["__typename"] == "ForbiddenError"
    assert await refusal_of(viewer, "{ auditLog { nodes { id } } }") == "FORBIDDEN"


async def test_another_business_sees_nothing(
    services: Services, tenant: Tenant, second_tenant: Tenant
) -> None:
    ours = await make_store(tenant)
    await make_store(tenant, "second")
    page = await ask(await caller(services, tenant), LIST, first=1)
    stranger = await caller(services, second_tenant)

    found = await ask(stranger, ONE, id=outside(Kind.STORE, ours.id))
    cursor = page["stores"]["pageInfo"]["endCursor"]

    assert found == {"store": None, "node": None}
    assert await refusal_of(stranger, LIST, first=1, after=cursor) == "INVALID_INPUT"


async def test_an_id_of_another_type_is_refused(services: Services, tenant: Tenant) -> None:
    owner = await caller(services, tenant)

    query = "query ($id: ID!) { store(id: $id) { id } }"

    assert await refusal_of(owner, query, id=outside(Kind.PAYMENT, new_id())) == "INVALID_INPUT"
    assert await refusal_of(owner, query, id="nothing") == "INVALID_INPUT"


async def test_the_business_is_shown_as_the_registry_has_it(services: Services, tenant: Tenant) -> None:
    owner = await caller(services, tenant)

    shown = await ask(owner, "{ tenant { id code slug name kind country status tier tierName } }")

    assert shown["tenant"] == {
        "id": outside(Kind.TENANT, tenant.id),
        "code": tenant.ref.code,
        "slug": tenant.ref.slug,
        "name": "Mama Njeri's Shop",
        "kind": "SMALL_BUSINESS",
        "country": "KE",
        "status": "ACTIVE",
        "tier": "free",
        "tierName": "Free",
    }


async def test_a_business_is_a_node_to_its_own_people_only(
    services: Services, tenant: Tenant, second_tenant: Tenant
) -> None:
    owner = await caller(services, tenant)

    query = "query ($id: ID!) { node(id: $id) { __typename id } }"

    own = outside(Kind.TENANT, tenant.id)
    assert await ask(owner, query, id=own) == {"node": {"__typename": "Tenant", "id": own}}
    assert await ask(owner, query, id=outside(Kind.TENANT, second_tenant.id)) == {"node": None}
