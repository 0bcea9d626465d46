"""The proof of the books over the tenant schema."""

import json
from base64 import urlsafe_b64decode

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import select

from core.ids import Kind, inside, new_id, outside
from jobs.proving import verify_ledger
from jobs.work import Work
from owner_db.proofs.heads import keep_head
from tenancy.context import Services
from tenancy.errors import NotSignedIn
from tenancy.heads import TYPE, Head, sign_head
from tenancy.roles import Role, Scope
from tenancy.sessions import Tenant
from tenant_db.audit.models import TenantAudit
from tenant_db.outbox.models import TenantOutbox
from tests.databases import PostgresServer
from tests.factories.callers import ask, caller, refusal_of, run
from tests.proving import Proven, new_ledger
from tests.tampering import tamper

HEAD = "{ ledgerHead { height hash transfers sealedAt signed publicKey } }"
VERIFICATION = """{
  id state blocks transfers transfersTotal entries finishedAt
  broken { kind message transferId ledgerAccountId sequence height }
}"""
VERIFY = f"""
mutation ($head: String) {{ verifyLedger(input: {{keptHead: $head}}) {{
  __typename
  ... on VerifyLedgerSuccess {{ verification {VERIFICATION} }}
  ... on VerificationRunningError {{ verificationId }}
  ... on Error {{ code message }}
}} }}
"""
STANDS = f"query ($id: ID!) {{ ledgerVerification(id: $id) {VERIFICATION} }}"
NODE = "query ($id: ID!) { node(id: $id) { __typename id } }"


async def proven(services: Services, tenant: Tenant) -> tuple[Proven, str]:
    """Three sealed sales, and the head that the platform has signed and kept."""
    ledger = await new_ledger(tenant)
    await ledger.sell(3)
    block = (await ledger.seal_all())[-1]
    head = Head(tenant.id, block.height, block.hash, block.total_count, block.sealed_at)
    signed = await sign_head(services.tokens, head)
    async with services.owner.transaction() as session:
        await keep_head(session, head, signed)
    return ledger, signed


async def run_job(services: Services, tenant: Tenant, id: str) -> None:
    raw = str(inside(Kind.LEDGER_VERIFICATION, id))
    await verify_ledger(Work(services, tenant, new_id(), "verify_ledger", {"verification_id": raw}, 1))


async def test_a_head_can_be_proven_without_asking_us(services: Services, tenant: Tenant) -> None:
    ledger, signed = await proven(services, tenant)

    head = (await ask(await caller(services, tenant, Role.VIEWER), HEAD))["ledgerHead"]

    assert (head["height"], head["transfers"], head["signed"]) == ("2", "3", signed)
    assert head["hash"] == (await ledger.blocks())[-1].hash.hex()
    raw = urlsafe_b64decode(head["publicKey"] + "=")
    facts = jwt.decode(signed, Ed25519PublicKey.from_public_bytes(raw), algorithms=["EdDSA"])
    assert facts == {
        "iss": "http://hazina.test",
        "tenant": outside(Kind.TENANT, tenant.id),
        "height": 2,
        "hash": head["hash"],
        "transfers": 3,
        "sealedAt": head["sealedAt"].replace("Z", "+00:00"),
    }
    assert jwt.get_unverified_header(signed)["typ"] == TYPE


async def test_a_head_is_its_own_businesss(services: Services, tenant: Tenant, second_tenant: Tenant) -> None:
    _, signed = await proven(services, tenant)
    other = await caller(services, second_tenant)

    assert await ask(other, HEAD) == {"ledgerHead": None}
    refused = (await ask(other, VERIFY, head=signed))["verifyLedger"]
    assert (refused["__typename"], refused["code"]) == ("HeadNotOursError", "HEAD_NOT_OURS")


async def test_a_verification_begins_once_and_is_followed_to_its_end(
    services: Services, tenant: Tenant
) -> None:
    _, signed = await proven(services, tenant)
    owner = await caller(services, tenant)

    begun = (await ask(owner, VERIFY, head=signed))["verifyLedger"]["verification"]
    again = (await ask(owner, VERIFY, head=signed))["verifyLedger"]["verification"]
    assert (begun["state"], begun["transfers"], again["id"]) == ("RUNNING", "0", begun["id"])
    refused = (await ask(owner, VERIFY))["verifyLedger"]
    assert (refused["code"], refused["verificationId"]) == ("VERIFICATION_RUNNING", begun["id"])
    async with tenant.reading() as session:
        jobs = (await session.scalars(select(TenantOutbox).where(TenantOutbox.kind == "verify_ledger"))).all()
        acts = (await session.scalars(select(TenantAudit.action))).all()
    assert [job.payload for job in jobs] == [
        {"verification_id": str(inside(Kind.LEDGER_VERIFICATION, begun["id"]))}
    ]
    assert acts == ["verify_ledger"]

    await run_job(services, tenant, begun["id"])

    seen = (await ask(owner, STANDS, id=begun["id"]))["ledgerVerification"]
    assert (seen["state"], seen["broken"]) == ("SOUND", None)
    assert [seen[name] for name in ("blocks", "transfers", "transfersTotal", "entries")] == [
        "2",
        "3",
        "3",
        "6",
    ]
    assert seen["finishedAt"] is not None
    node = (await ask(owner, NODE, id=begun["id"]))["node"]
    assert node == {"__typename": "LedgerVerification", "id": begun["id"]}


@pytest.mark.parametrize(
    ("statement", "kind", "named"),
    [
        (
            "UPDATE ledger_transfers SET amount_minor = 1 WHERE id = $sealed",
            "TRANSFER_CHANGED",
            "transferId",
        ),
        (
            "UPDATE ledger_entries SET balance_after_minor = 1 WHERE $third",
            "ENTRY_CHANGED",
            "ledgerAccountId",
        ),
        ("DELETE FROM ledger_blocks WHERE height = 2", "BLOCK_MISSING", "height"),
    ],
)
async def test_what_is_broken_is_named(
    *, services: Services, tenant: Tenant, postgres: PostgresServer, statement: str, kind: str, named: str
) -> None:
    ledger, _ = await proven(services, tenant)
    await tamper(postgres, ledger, statement)
    owner = await caller(services, tenant)
    id_ = (await ask(owner, VERIFY))["verifyLedger"]["verification"]["id"]

    await run_job(services, tenant, id_)

    seen = (await ask(owner, STANDS, id=id_))["ledgerVerification"]
    assert (seen["state"], seen["broken"]["kind"]) == ("BROKEN", kind)
    rows = {
        "transferId": outside(Kind.TRANSFER, ledger.sold[2].id),
        "ledgerAccountId": outside(Kind.LEDGER_ACCOUNT, ledger.shop),
        "height": "2",
    }
    assert seen["broken"][named] == rows[named]
    if named == "ledgerAccountId":
        assert seen["broken"]["sequence"] == "3"


@pytest.mark.parametrize("text", ["", "nonsense", "a.b.c", "x" * 5_000])
async def test_what_was_never_signed_is_no_head(services: Services, tenant: Tenant, text: str) -> None:
    owner = await caller(services, tenant)

    refused = (await ask(owner, VERIFY, head=text))["verifyLedger"]

    assert refused["code"] == "HEAD_NOT_OURS"


async def test_an_access_token_is_no_head_and_a_head_opens_nothing(
    services: Services, tenant: Tenant
) -> None:
    _, signed = await proven(services, tenant)
    facts = {"tenant": outside(Kind.TENANT, tenant.id), "height": 1, "hash": "00", "transfers": 1}
    other = await services.tokens.sign_statement("JWT", {**facts, "sealedAt": "2026-01-01T00:00:00+00:00"})
    owner = await caller(services, tenant)

    assert (await ask(owner, VERIFY, head=other))["verifyLedger"]["code"] == "HEAD_NOT_OURS"
    with pytest.raises(NotSignedIn):
        await services.tokens.verify(signed, "tenant")


async def test_the_proof_needs_ledger_read(services: Services, tenant: Tenant) -> None:
    cashier = await caller(services, tenant, Role.CASHIER)
    id_ = outside(Kind.LEDGER_VERIFICATION, new_id())
    assert Scope.LEDGER_READ not in cashier.signed_in().scopes

    assert await refusal_of(cashier, HEAD) == "FORBIDDEN"
    assert await refusal_of(cashier, STANDS, id=id_) == "FORBIDDEN"
    refused = (await run(cashier, VERIFY)).body["data"]["verifyLedger"]
    assert refused["code"] == "FORBIDDEN", json.dumps(refused)
