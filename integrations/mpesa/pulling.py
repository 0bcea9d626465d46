"""Asks M-Pesa for payments whose confirmation was missed: the last 48 hours, production only.

Source: M-Pesa Daraja, section 9.
"""

import re
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from typing import Final

from core.phone import Phone
from integrations.errors import FailureReason, ProviderRejected, ProviderUnavailable
from integrations.http import Reply
from integrations.mpesa.calling import Caller
from integrations.mpesa.codes import Fault
from integrations.mpesa.events import masked, read_amount
from integrations.mpesa.messages import (
    EAST_AFRICA_TIME,
    MpesaPaths,
    ShortCode,
    read_answer,
    require_phone,
    require_url,
    text_of,
)
from integrations.mpesa.told import C2BConfirmation
from integrations.wire_json import Json

PULLED: Final = "1000"
NONE_FOUND: Final = "1001"
REGISTERED: Final = ("1000", "1001")
ROWS_MAX: Final = 100_000
"""Offsets an answer may lead to: an endless list ends here."""
STAMP: Final = "%Y-%m-%d %H:%M:%S"
_RECEIPT: Final = re.compile(r"[A-Za-z0-9]{1,32}")


class Puller:
    """Reads the list of one short code."""

    def __init__(self, caller: Caller, short_code: ShortCode, paths: MpesaPaths) -> None:
        self._caller = caller
        self._short_code = short_code
        self._paths = paths

    async def register(self, nominated: Phone, callback_url: str) -> None:
        """Let the short code be pulled; once, and again is harmless.

        Raises:
            ProviderUnavailable: no answer; ask again.
            ProviderRejected: refused for good.
        """
        body: dict[str, Json] = {
            "ShortCode": self._short_code.business_short_code,
            "RequestType": "Pull",
            "NominatedNumber": require_phone(nominated),
            "CallBackURL": require_url(callback_url),
        }
        answer = _answer(await self._caller.ask("pull_register", self._paths.pull_register, body, "pull"))
        if text_of(answer.get("ResponseStatus") or answer.get("ResponseCode")) not in REGISTERED:
            raise ProviderUnavailable("an answer without the expected keys")

    async def payments(self, since: datetime, until: datetime) -> AsyncIterator[C2BConfirmation]:
        """What was paid to the short code between two instants; a row that can't be read is left out.

        Raises:
            As `register`.
        """
        offset = 0
        while offset < ROWS_MAX:
            body: dict[str, Json] = {
                "ShortCode": self._short_code.business_short_code,
                "StartDate": since.astimezone(EAST_AFRICA_TIME).strftime(STAMP),
                "EndDate": until.astimezone(EAST_AFRICA_TIME).strftime(STAMP),
                "OffSetValue": str(offset),
            }
            answer = _answer(await self._caller.ask("pull_query", self._paths.pull_query, body, "pull"))
            rows = list(_rows(answer))
            for row in rows:
                payment = self._read(row)
                if payment is not None:
                    yield payment
            if not rows:
                return
            offset += len(rows)

    def _read(self, row: dict[str, Json]) -> C2BConfirmation | None:
        receipt, amount = text_of(row.get("transactionId")), read_amount(row.get("amount"))
        if _RECEIPT.fullmatch(receipt) is None or amount is None:
            return None
        is_till = "pay-bill" not in text_of(row.get("transactiontype")).lower()
        return C2BConfirmation(
            receipt=receipt,
            amount=amount,
            reference=text_of(row.get("billreference")),
            short_code=self._short_code.business_short_code,
            phone_masked=masked(text_of(row.get("msisdn"))),
            occurred_at=_instant(text_of(row.get("trxDate"))),
            kind="till" if is_till else "paybill",
        )


def _answer(reply: Reply) -> dict[str, Json]:
    answer = read_answer(reply)
    if not isinstance(answer, Fault):
        return answer
    if answer.is_configuration or answer.is_bad_field:
        raise ProviderRejected(answer.code, answer.message, FailureReason.CONFIGURATION)
    raise ProviderUnavailable(str(answer))


def _rows(answer: dict[str, Json]) -> Iterator[dict[str, Json]]:
    """The rows, out of the list inside a list.

    Raises:
        ProviderUnavailable: it is no such answer.
    """
    code = text_of(answer.get("ResponseCode"))
    if code == NONE_FOUND:
        return
    listed = answer.get("Response")
    if code != PULLED or not isinstance(listed, list):
        raise ProviderUnavailable("an answer without the expected keys")
    for entry in listed:
        for row in entry if isinstance(entry, list) else [entry]:
            if isinstance(row, dict):
                yield row


def _instant(text: str) -> datetime | None:
    """An ISO instant; [ASSUMED] East Africa Time where it names no zone."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.replace(tzinfo=EAST_AFRICA_TIME) if found.tzinfo is None else found
