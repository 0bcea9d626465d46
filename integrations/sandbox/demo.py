"""The keys that every sandbox knows, so that a developer can pay at once. None of them is a secret."""

from typing import Final

DEMO_CONSUMER_KEY: Final = "hazina-demo-consumer-key"
DEMO_CONSUMER_SECRET: Final = "hazina-demo-consumer-secret"  # noqa: S105 - known to everybody
DEMO_PASSKEY: Final = "hazina-demo-passkey"
DEMO_INITIATOR: Final = "hazina-demo"
DEMO_INITIATOR_PASSWORD: Final = "hazina%demo#1"  # noqa: S105 - known to everybody
DEMO_PAYBILL: Final = "174379"
DEMO_TILL: Final = "5100001"
DEMO_TILL_HEAD_OFFICE: Final = "5100000"
DEMO_PHONE: Final = "254708374149"
"""Daraja's own test number."""

DEMO_FLUTTERWAVE_SECRET_KEY: Final = "FLWSECK_TEST-hazina-demo-X"  # noqa: S105 - known to everybody
DEMO_FLUTTERWAVE_PUBLIC_KEY: Final = "FLWPUBK_TEST-hazina-demo-X"
DEMO_FLUTTERWAVE_WEBHOOK_HASH: Final = "hazina-demo-flutterwave-hash"

DEMO_PAYSTACK_SECRET_KEY: Final = "sk_test_hazina_demo"  # noqa: S105 - known to everybody
DEMO_PAYSTACK_PUBLIC_KEY: Final = "pk_test_hazina_demo"

DEMO_STRIPE_SECRET_KEY: Final = "sk_test_hazinademo"  # noqa: S105 - known to everybody
DEMO_STRIPE_PUBLISHABLE_KEY: Final = "pk_test_hazinademo"
DEMO_STRIPE_WEBHOOK_SECRET: Final = "whsec_hazinademo"  # noqa: S105 - known to everybody
