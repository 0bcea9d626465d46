"""The Daraja apps a sandbox knows: key pairs, their short codes, and the one token each has."""

import base64
import binascii
import secrets
from dataclasses import asdict, dataclass, field
from typing import Any

from core.errors import InvalidInput
from integrations.sandbox import demo
from integrations.sandbox.journal import Journal


@dataclass(frozen=True, slots=True)
class KnownShortCode:
    """One short code of an app."""

    code: str
    """What goes into BusinessShortCode: the PayBill, or the till's store number."""
    passkey: str
    kind: str = "paybill"
    party_b: str = ""
    """What goes into PartyB: the till number; the code itself if empty."""
    has_final_urls: bool = False
    """As in production, C2B URLs can be registered once."""
    initiator: str = demo.DEMO_INITIATOR
    """The API operator's name."""
    initiator_password: str = demo.DEMO_INITIATOR_PASSWORD

    @property
    def payee(self) -> str:
        return self.party_b or self.code

    @property
    def transaction_type(self) -> str:
        return "CustomerBuyGoodsOnline" if self.kind == "till" else "CustomerPayBillOnline"


@dataclass(frozen=True, slots=True)
class App:
    """One key pair and what it may be used for."""

    consumer_key: str
    consumer_secret: str
    short_codes: dict[str, KnownShortCode] = field(default_factory=dict)

    @classmethod
    def of(cls, given: dict[str, Any]) -> "App":
        """Read `{consumer_key, consumer_secret, short_codes: [{code, passkey, kind, party_b}]}`.

        Raises:
            InvalidInput: something is missing or unknown.
        """
        try:
            codes = [KnownShortCode(**entry) for entry in given.get("short_codes", [])]
            return cls(given["consumer_key"], given["consumer_secret"], {code.code: code for code in codes})
        except (KeyError, TypeError) as error:
            raise InvalidInput("app", f"An app has keys and short codes: {error}.") from error


DEMO_APP = App(
    demo.DEMO_CONSUMER_KEY,
    demo.DEMO_CONSUMER_SECRET,
    {
        demo.DEMO_PAYBILL: KnownShortCode(demo.DEMO_PAYBILL, demo.DEMO_PASSKEY),
        demo.DEMO_TILL_HEAD_OFFICE: KnownShortCode(
            demo.DEMO_TILL_HEAD_OFFICE, demo.DEMO_PASSKEY, "till", demo.DEMO_TILL
        ),
    },
)


class Apps:
    """All apps by consumer key."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._apps: dict[str, App] = {}
        self._tokens: dict[str, str] = {}
        self.reset()

    def reset(self) -> None:
        """Only the demo app is known, and no token is valid."""
        self._apps = {DEMO_APP.consumer_key: DEMO_APP}
        self._tokens = {}

    def load(self, records: dict[str, dict[str, Any]]) -> None:
        for record in records.values():
            app = App.of({**record, "short_codes": list(record["short_codes"].values())})
            self._apps[app.consumer_key] = app

    def register(self, app: App) -> None:
        """Know an app, or know it anew."""
        self._apps[app.consumer_key] = app
        self._journal.write("app", app.consumer_key, asdict(app))

    def short_code(self, code: str) -> KnownShortCode | None:
        """A short code of any app, by what goes into BusinessShortCode."""
        return next((app.short_codes[code] for app in self._apps.values() if code in app.short_codes), None)

    def issue_token(self, authorization: str) -> str | None:
        """A new token for a Basic header, which ends the app's token before it; None for unknown keys."""
        app = self._apps.get(_basic(authorization)[0])
        if app is None or app.consumer_secret != _basic(authorization)[1]:
            return None
        self._tokens[app.consumer_key] = secrets.token_urlsafe(21)
        return self._tokens[app.consumer_key]

    def end_tokens(self) -> None:
        self._tokens.clear()

    def app_of(self, authorization: str) -> App | None:
        """Whose token a Bearer header holds."""
        given = authorization.removeprefix("Bearer ")
        for consumer_key, token in self._tokens.items():
            if secrets.compare_digest(token.encode(), given.encode()):
                return self._apps[consumer_key]
        return None


def _basic(authorization: str) -> tuple[str, str]:
    try:
        pair = base64.b64decode(authorization.removeprefix("Basic "), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    key, _, secret = pair.partition(":")
    return key, secret
