import ast
import base64
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from core.clock import utc_now
from integrations.email.client import SmtpSettings, send_mail
from integrations.mpesa.messages import stamp
from integrations.sandbox import demo
from tests.sandbox import RunningSandbox

ROOT = Path(__file__).parents[2]


def test_the_sandbox_knows_nothing_of_ours_but_core() -> None:
    rooms = {"server", "schema", "resolvers", "jobs", "owner_db", "tenant_db", "integrations", "tenancy"}
    for path in (ROOT / "integrations/sandbox").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                assert name.startswith("integrations.sandbox") or name.split(".")[0] not in rooms, path


async def token(sandbox: RunningSandbox) -> str:
    response = await sandbox.http.get(
        "/mpesa/oauth/v1/generate?grant_type=client_credentials",
        auth=(demo.DEMO_CONSUMER_KEY, demo.DEMO_CONSUMER_SECRET),
    )
    return str(response.json()["access_token"])


def push_body(**changes: object) -> dict[str, object]:
    timestamp = stamp(utc_now())
    password = f"{demo.DEMO_PAYBILL}{demo.DEMO_PASSKEY}{timestamp}"
    return {
        "BusinessShortCode": demo.DEMO_PAYBILL,
        "Password": base64.b64encode(password.encode()).decode(),
        "Timestamp": timestamp,
        "TransactionType": "CustomerPayBillOnline",
        "Amount": 1500,
        "PartyA": "254700000001",
        "PartyB": demo.DEMO_PAYBILL,
        "PhoneNumber": "254700000001",
        "CallBackURL": "https://pay.example.com/cb/d/9f2c",
        "AccountReference": "INV1042",
        "TransactionDesc": "Order 1042",
        **changes,
    }


PUSH = "/mpesa/mpesa/stkpush/v1/processrequest"


async def push(sandbox: RunningSandbox, **changes: object) -> httpx.Response:
    bearer = {"authorization": f"Bearer {await token(sandbox)}"}
    return await sandbox.http.post(PUSH, json=push_body(**changes), headers=bearer)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("PhoneNumber", "0700000001"),
        ("PhoneNumber", "+254700000001"),
        ("PhoneNumber", "254200000001"),
        ("PartyA", "25470000000"),
        ("Amount", 0),
        ("Amount", 250_001),
        ("Amount", 10.5),
        ("Amount", "10.00"),
        ("Amount", True),
        ("TransactionType", "CustomerPayBill"),
        ("PartyB", ""),
        ("AccountReference", "INV1042INV1042"),
        ("AccountReference", "INV-1"),
        ("AccountReference", None),
        ("TransactionDesc", "x" * 14),
        ("TransactionDesc", "a@b"),
        ("CallBackURL", "http://pay.example.com/cb"),
        ("CallBackURL", "https://pay.example.com/Mpesa/cb"),
        ("CallBackURL", "https://pay.example.com/query"),
        ("CallBackURL", "https://"),
        ("CallBackURL", "https://[::1"),
        ("CallBackURL", None),
        ("Timestamp", "2026-11-21"),
        ("Timestamp", "20261399000000"),
        pytest.param("Timestamp", stamp(utc_now() - timedelta(hours=3)), id="Timestamp-three hours old"),
    ],
)
async def test_the_sandbox_refuses_what_the_sheet_refuses(
    sandbox: RunningSandbox, field: str, value: object
) -> None:
    response = await push(sandbox, **{field: value})

    assert response.status_code == 400
    assert response.json()["errorCode"] == "400.002.02"
    assert response.json()["errorMessage"] == f"Bad Request - Invalid {field}"
    assert (await sandbox.book())["stk"] == []


async def test_a_push_as_in_the_sheet_is_accepted(sandbox: RunningSandbox) -> None:
    response = await push(sandbox, Amount="1500", BusinessShortCode=int(demo.DEMO_PAYBILL))

    assert response.status_code == 200
    assert list(response.json()) == [
        "MerchantRequestID",
        "CheckoutRequestID",
        "ResponseCode",
        "ResponseDescription",
        "CustomerMessage",
    ]
    assert response.json()["ResponseCode"] == "0"


async def test_a_wrong_password_is_refused_as_wrong_credentials(sandbox: RunningSandbox) -> None:
    response = await push(sandbox, Password="x")

    assert (response.status_code, response.json()["errorCode"]) == (500, "500.001.1001")
    assert "Wrong credentials" in response.json()["errorMessage"]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("POST", PUSH, 404, "404.001.03"),
        ("GET", PUSH, 405, "405.001"),
        ("POST", "/mpesa/mpesa/b2c/v9/paymentrequest", 404, "404.001.01"),
        ("GET", "/mpesa/oauth/v1/generate", 400, "400.008.01"),
    ],
)
async def test_wrong_paths_methods_and_tokens_have_their_codes(
    sandbox: RunningSandbox, method: str, path: str, status: int, code: str
) -> None:
    response = await sandbox.http.request(method, path)

    assert (response.status_code, response.json()["errorCode"]) == (status, code)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff"])
async def test_a_body_that_is_no_object_is_refused(sandbox: RunningSandbox, body: bytes) -> None:
    bearer = {"authorization": f"Bearer {await token(sandbox)}"}

    response = await sandbox.http.post(PUSH, content=body, headers=bearer)

    assert response.json()["errorCode"] == "400.002.05"


async def test_a_new_token_ends_the_one_before(sandbox: RunningSandbox) -> None:
    bearer = {"authorization": f"Bearer {await token(sandbox)}"}
    assert (await sandbox.http.post(PUSH, json=push_body(), headers=bearer)).status_code == 200

    await token(sandbox)

    assert (await sandbox.http.post(PUSH, json=push_body(), headers=bearer)).status_code == 404


@pytest.mark.parametrize(
    "body", [{"outcomes": ["no_such"]}, {"outcomes": [{"callback": "maybe"}]}, {"outcomes": [{"x": 1}]}, {}]
)
async def test_a_control_that_makes_no_sense_is_refused(
    sandbox: RunningSandbox, body: dict[str, object]
) -> None:
    response = await sandbox.http.post("/_control/mpesa/next", json=body)

    assert response.status_code == 400
    assert response.json()["error"]


async def test_a_developer_finds_the_way_around(sandbox: RunningSandbox) -> None:
    home = await sandbox.http.get("/")
    mailbox = await sandbox.http.get("/mailbox")

    assert demo.DEMO_PAYBILL in home.text
    assert "/_control/mpesa/next" in home.text
    assert mailbox.status_code == 200


async def test_the_mailbox_can_be_emptied_and_shows_mails_harmlessly(sandbox: RunningSandbox) -> None:
    assert sandbox.mail_port is not None
    settings = SmtpSettings("127.0.0.1", sandbox.mail_port, "Hazina <no-reply@hazina.example>")
    await send_mail(settings, "ann@shop.example", "<script>", "a < b")

    page = (await sandbox.http.get("/mailbox")).text
    assert "&lt;script&gt;" in page
    assert "<script>" not in page
    await sandbox.http.delete("/mailbox.json")
    assert await sandbox.mails("ann@shop.example") == []
