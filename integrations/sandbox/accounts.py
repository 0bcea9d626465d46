"""The accounts a provider's sandbox knows, and where each wants its webhooks."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from core.errors import InvalidInput
from integrations.sandbox.journal import Journal
from integrations.sandbox.records import Records


@dataclass(slots=True)
class Account:
    """One business at the provider; its secret key is its name here."""

    id: str
    """The secret key."""
    details: dict[str, str] = field(default_factory=dict)
    """What else the provider gives out: a public key, an encryption key, a country."""
    webhook_url: str = ""
    """Empty: nothing is told."""
    webhook_secret: str = ""


class Accounts:
    """All accounts of one provider, by secret key."""

    def __init__(self, journal: Journal, provider: str, demo: Sequence[Account]) -> None:
        self._records = Records(journal, f"{provider}.account", Account)
        self._demo = [(account.id, dict(account.details), account.webhook_secret) for account in demo]
        self.reset()

    def reset(self) -> None:
        """Only the demo accounts are known."""
        self._records.reset()
        self._known = {id_: Account(id_, dict(details), "", secret) for id_, details, secret in self._demo}

    def load(self, records: dict[str, dict[str, dict[str, Any]]]) -> None:
        self._records.load(records)
        self._known |= {account.id: account for account in self._records}

    def register(self, given: dict[str, Any]) -> Account:
        """Know an account, or know it anew: `{"key", "details", "url", "secret"}`; what is left out stays.

        Raises:
            InvalidInput: no key, or a part is no text.
        """
        key = given.get("key")
        if not isinstance(key, str) or not key:
            raise InvalidInput("key", "Give the account's secret key.")
        account = self._known.get(key) or Account(key)
        details = given.get("details", {})
        if not isinstance(details, dict):
            raise InvalidInput("details", "Details are an object.")
        account.details |= {str(name): str(value) for name, value in details.items()}
        account.webhook_url = str(given.get("url", account.webhook_url))
        account.webhook_secret = str(given.get("secret", account.webhook_secret))
        self._known[key] = account
        self._records.save(account)
        return account

    def get(self, key: str) -> Account | None:
        return self._known.get(key)

    def of_bearer(self, authorization: str) -> Account | None:
        """Whose secret key an `Authorization: Bearer …` header holds."""
        scheme, _, given = authorization.partition(" ")
        if scheme.lower() != "bearer":
            return None
        for key, account in self._known.items():
            if secrets.compare_digest(key.encode(), given.encode()):
                return account
        return None

    @property
    def demo_key(self) -> str:
        """Of the first demo account: meant where a control names none."""
        return self._demo[0][0]
