"""Links to files: signed like access tokens, but for something else, so that neither serves as the other."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from core.clock import Clock
from core.errors import InvalidInput
from core.ids import Kind, inside, outside, parse
from tenancy.context import Principal
from tenancy.errors import LinkExpired, NotSignedIn
from tenancy.tokens import TOKEN_BYTES_MAX, TokenIssuer

LINK_LIFE: Final = timedelta(minutes=15)
AUDIENCE: Final = "export"
"""Access tokens are for `tenant` or `owner`."""
TYPE: Final = "export+jwt"
REQUIRED_CLAIMS: Final = ("exp", "sub", "aud", "iss", "tenant", "export")


@dataclass(frozen=True, slots=True)
class Link:
    """Who may fetch which file, and until when."""

    tenant_id: UUID
    export_id: UUID
    caller: Kind
    """Kind.USER or Kind.API_KEY."""
    caller_id: UUID
    session_id: UUID | None
    """Of a user: the session that must still be alive."""
    expires_at: datetime

    @classmethod
    def to(cls, export_id: UUID, tenant_id: UUID, principal: Principal, now: datetime) -> "Link":
        """A fresh link for whoever asks."""
        caller = Kind.API_KEY if principal.kind == "api_key" else Kind.USER
        return cls(tenant_id, export_id, caller, principal.id, principal.session_id, now + LINK_LIFE)


async def write_link(tokens: TokenIssuer, link: Link) -> str:
    """Sign a link: what stands behind `/exports/`."""
    body: dict[str, object] = {
        "aud": AUDIENCE,
        "sub": outside(link.caller, link.caller_id),
        "tenant": outside(Kind.TENANT, link.tenant_id),
        "export": outside(Kind.EXPORT, link.export_id),
        "exp": link.expires_at,
    }
    if link.session_id is not None:
        body["sid"] = str(link.session_id)
    return await tokens.sign_statement(TYPE, body)


async def read_link(tokens: TokenIssuer, text: str, clock: Clock) -> Link:
    """What we have signed.

    Raises:
        NotSignedIn: we have not signed it, or something else than a link.
        LinkExpired: its time is over.
    """
    if len(text) > TOKEN_BYTES_MAX:
        raise NotSignedIn
    body = await tokens.read(text, AUDIENCE, REQUIRED_CLAIMS)
    try:
        caller, caller_id = parse(body["sub"])
        session_id = body.get("sid")
        link = Link(
            tenant_id=inside(Kind.TENANT, body["tenant"]),
            export_id=inside(Kind.EXPORT, body["export"]),
            caller=caller,
            caller_id=caller_id,
            session_id=None if session_id is None else UUID(session_id),
            expires_at=datetime.fromtimestamp(body["exp"], UTC),
        )
    except InvalidInput as error:
        raise NotSignedIn from error
    if link.expires_at <= clock():
        raise LinkExpired
    return link
