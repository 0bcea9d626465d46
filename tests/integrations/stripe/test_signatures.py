"""What proves that it was Stripe who told."""

import hashlib
import hmac
from datetime import UTC, datetime

import pytest
import stripe as sdk
from hypothesis import given
from hypothesis import strategies as st

from integrations.errors import BadMessage
from integrations.stripe.events import StripeWebhooks
from integrations.webhooks import BadSignature, Webhook
from tests.integrations.stripe.conftest import CALM, WEBHOOK_SECRET, Inbox, Stripe, intent_of

SCHEME = StripeWebhooks()
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
BODY = b'{"id":"evt_1Qabc","type":"payment_intent.succeeded"}'
SECRET = "whsec_first"


def signed(body: bytes, secret: str = SECRET, at: int = int(NOW.timestamp())) -> str:
    made = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={made}"


def authenticate(body: bytes, header: str, *secrets: str) -> None:
    SCHEME.authenticate(Webhook(body, {"stripe-signature": header}), secrets or [SECRET], NOW)


def test_stripe_s_own_library_signs_what_our_scheme_accepts() -> None:
    at = int(NOW.timestamp())
    made = sdk.WebhookSignature._compute_signature(f"{at}.{BODY.decode()}", SECRET)  # noqa: SLF001 - it has no public signer

    authenticate(BODY, f"t={at},v1={made}")


async def test_stripe_s_own_library_accepts_what_the_sandbox_signs(stripe: Stripe, inbox: Inbox) -> None:
    accepted = await stripe.adapter.create_payment(intent_of(description="Chai 🍵 and mandazi"))
    await stripe.settle(accepted)

    (body,), (header,) = inbox.bodies, inbox.headers
    event = sdk.Webhook.construct_event(body, header, WEBHOOK_SECRET)
    assert event["data"]["object"]["id"] == accepted.provider_reference
    with pytest.raises(sdk.SignatureVerificationError):
        sdk.Webhook.construct_event(body, header, "whsec_other")


@pytest.mark.parametrize("secrets", [("whsec_first", "whsec_second"), ("whsec_second", "whsec_first")])
def test_two_secrets_and_two_signatures_hold_while_a_secret_is_rolled(secrets: tuple[str, str]) -> None:
    authenticate(BODY, signed(BODY), *secrets)
    header = f"{signed(BODY, 'whsec_other')},{signed(BODY).partition(',')[2]},v0=00"

    authenticate(BODY, header, *secrets)


@pytest.mark.parametrize("seconds", [-300, 0, 300])
def test_five_minutes_are_tolerated_both_ways(seconds: int) -> None:
    authenticate(BODY, signed(BODY, at=int(NOW.timestamp()) + seconds))


@pytest.mark.parametrize(
    "header",
    [
        "",
        "v1=00",
        "t=1",
        signed(BODY, "whsec_other"),
        signed(BODY, "first"),
        signed(BODY + b" "),
        signed(BODY).replace("v1=", "v0="),
        signed(BODY).upper(),
        signed(BODY, at=int(NOW.timestamp()) - 301),
        signed(BODY, at=int(NOW.timestamp()) + 301),
        signed(BODY).replace("t=", "t=+"),
        signed(BODY).replace("t=", "t=0"),
        f"t=1,{signed(BODY)}",
        f"t={'9' * 30},v1=00",
        f"{signed(BODY)},v1=é",
        ",".join([signed(BODY), *["v1=00"] * 20]),
        "t=" + "1" * 5_000,
    ],
)
def test_what_does_not_prove_stripe_is_refused(header: str) -> None:
    if header.endswith("é"):
        # The genuine signature beside it still proves the message.
        authenticate(BODY, header)
        return
    with pytest.raises(BadSignature):
        authenticate(BODY, header)


def test_an_empty_secret_proves_nothing() -> None:
    with pytest.raises(BadSignature):
        authenticate(BODY, signed(BODY, ""), "", SECRET)


def test_a_message_without_the_header_is_refused() -> None:
    with pytest.raises(BadSignature):
        SCHEME.authenticate(Webhook(BODY, {}), [SECRET], NOW)


@CALM
@given(body=st.binary(max_size=60), header=st.text(max_size=60))
def test_hostile_bytes_are_bad(body: bytes, header: str) -> None:
    with pytest.raises(BadSignature):
        authenticate(body, header)
    for read in (SCHEME.read, SCHEME.external_id):
        with pytest.raises(BadMessage):
            read(body)
