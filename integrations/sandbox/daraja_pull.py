"""Daraja's Pull: the payments of the last 48 hours.

Source: M-Pesa Daraja, section 9.
"""

import re
from datetime import datetime, timedelta
from typing import Any, Final

from starlette.responses import JSONResponse, Response

from integrations.sandbox import checks
from integrations.sandbox.apps import App, KnownShortCode
from integrations.sandbox.book import EAST_AFRICA_TIME, Book
from integrations.sandbox.payer import STAMP, mask
from integrations.sandbox.refusals import bad_field
from integrations.sandbox.settings import SandboxSettings

PAGE: Final = 100
OLDEST: Final = timedelta(hours=48)
_OFFSET: Final = re.compile(r"[0-9]{1,6}")


class DarajaPull:
    """Registers short codes, and lists what was paid to them."""

    def __init__(self, settings: SandboxSettings, book: Book) -> None:
        self._settings = settings
        self._book = book
        self._registered: set[str] = set()

    def reset(self) -> None:
        self._registered.clear()

    async def register(self, body: dict[str, Any], app: App) -> Response:
        known = _own_code(body, app)
        if body.get("RequestType") != "Pull":
            raise bad_field("RequestType")
        checks.require_phone(body, "NominatedNumber")
        checks.require_url(body, "CallBackURL")
        status = "1001" if known.code in self._registered else "1000"
        self._registered.add(known.code)
        return JSONResponse(
            {
                "ResponseRefID": "18633-7271215-1",
                "ResponseStatus": status,
                "ShortCode": known.code,
                "ResponseDescription": "ShortCode already Registered" if status == "1001" else "Success",
            }
        )

    async def query(self, body: dict[str, Any], app: App) -> Response:
        known = _own_code(body, app)
        since, until = _instant(body, "StartDate"), _instant(body, "EndDate")
        offset = int(checks.require(body, "OffSetValue", _OFFSET))
        oldest = max(since, self._settings.clock() - OLDEST)
        rows = [
            row
            for paid in self._book.paid()
            if paid["short_code"] in (known.code, known.payee)
            and oldest <= _paid_at(paid) <= until
            and (row := _row(paid))
        ]
        page = rows[offset : offset + PAGE]
        if not page:
            return JSONResponse(
                {"ResponseRefID": "26178-1", "ResponseCode": "1001", "ResponseMessage": "No transactions"}
            )
        return JSONResponse(
            {
                "ResponseRefID": "26178-1",
                "ResponseCode": "1000",
                "ResponseMessage": "Success",
                # A list inside a list, as the portal has it.
                "Response": [page],
            }
        )


def _row(paid: dict[str, str]) -> dict[str, Any]:
    return {
        "transactionId": paid["receipt"],
        "trxDate": _paid_at(paid).isoformat(),
        "msisdn": mask(paid["phone"], "masked"),
        "sender": "MPESA",
        "transactiontype": "c2b-pay-bill-debit" if paid["reference"] else "c2b-buy-goods-debit",
        "billreference": paid["reference"],
        "amount": paid["amount"],
        "organizationname": "Shop",
    }


def _paid_at(paid: dict[str, str]) -> datetime:
    return datetime.strptime(paid["paid_at"], STAMP).replace(tzinfo=EAST_AFRICA_TIME)


def _instant(body: dict[str, Any], field: str) -> datetime:
    try:
        return datetime.strptime(str(body.get(field)), "%Y-%m-%d %H:%M:%S").replace(tzinfo=EAST_AFRICA_TIME)
    except ValueError as error:
        raise bad_field(field) from error


def _own_code(body: dict[str, Any], app: App) -> KnownShortCode:
    code = checks.require_code(body, "ShortCode")
    for known in app.short_codes.values():
        if code in (known.code, known.payee):
            return known
    raise bad_field("ShortCode")
