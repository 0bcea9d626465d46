"""What a provider account's secrets are called."""

from enum import StrEnum


class SecretName(StrEnum):
    """One secret of a provider account."""

    CONSUMER_KEY = "consumer_key"
    CONSUMER_SECRET = "consumer_secret"  # noqa: S105 - a name, not a secret
    PASSKEY = "passkey"
    HOOK_TOKEN = "hook_token"  # noqa: S105 - a name, not a secret
    """First part of the callback URL of each prompt, `/hooks/{hook_token}/{item}`, and of the result URL of
    each request of an operator."""
    CONFIRMATION_TOKEN = "confirmation_token"  # noqa: S105 - a name, not a secret
    """Of the C2B confirmation URL: `/hooks/{confirmation_token}`."""
    VALIDATION_TOKEN = "validation_token"  # noqa: S105 - a name, not a secret
    """Of the C2B validation URL."""
    WEBHOOK_TOKEN = "webhook_token"  # noqa: S105 - a name, not a secret
    """Of the URL that a tenant registers at its provider: `/hooks/{webhook_token}`."""
    INITIATOR_PASSWORD = "initiator_password"  # noqa: S105 - a name, not a secret
    """Of the API operator: for reversals, statuses and balances."""


PREVIOUS = ".previous"
"""Ends the name of a secret that was replaced, and still proves webhooks for a while."""
