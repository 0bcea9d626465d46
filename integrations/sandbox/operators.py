"""Carries out what operators asked for, and tells of it once: M-Pesa does not tell again."""

from typing import Any, Final

from integrations.sandbox.apps import Apps
from integrations.sandbox.book import Book, new_receipt
from integrations.sandbox.clockwork import Clockwork
from integrations.sandbox.daraja_records import OperatorRequest
from integrations.sandbox.daraja_results import result_body, timeout_body
from integrations.sandbox.journal import Journal
from integrations.sandbox.payer import stamp
from integrations.sandbox.posting import Poster, Unanswered
from integrations.sandbox.records import Records
from integrations.sandbox.settings import SandboxSettings

NO_SUCH_TRANSACTION: Final = "2032"
"""[ASSUMED] Unpublished."""
ALREADY_REVERSED: Final = "R000001"
UNKNOWN_RECEIPT: Final = "R000002"


class Operators:
    """The requests of all operators."""

    def __init__(
        self, settings: SandboxSettings, apps: Apps, book: Book, journal: Journal, poster: Poster
    ) -> None:
        self._settings = settings
        self._apps = apps
        self._book = book
        self._poster = poster
        self._clockwork = Clockwork()
        self.requests = Records(journal, "operator", OperatorRequest)

    def load(self, records: dict[str, dict[str, dict[str, Any]]]) -> None:
        """Take over the journal, and go on with what a restart cut off."""
        self.requests.load(records)
        for request in self.requests:
            if not request.told and request.way.telling not in ("never", "withheld"):
                self._start(request)

    async def stop(self) -> None:
        await self._clockwork.stop()

    def reset(self) -> None:
        self.requests.reset()

    def take(self, request: OperatorRequest) -> None:
        """Keep it; it is done, and told, after a while."""
        self.requests.save(request)
        self._start(request)

    def by_originator(self, own_id: str) -> OperatorRequest | None:
        return next((each for each in self.requests if each.originator_conversation_id == own_id), None)

    def about(self, id_: str) -> list[str]:
        """What the request of an id was about: the receipt of a reversal, for one."""
        return [each.subject for each in self.requests if each.id == id_]

    async def release(self, subject: str | None) -> dict[str, list[str]]:
        """Tell now, and truly, what is late, withheld or lost; of one id or receipt, or of all."""
        chosen = [each for each in self.requests if subject in (None, each.id, each.subject)]
        for request in chosen:
            request.is_released = True
            await self._clockwork.hurry(request.id)
            if not any(telling.startswith("result") for telling in request.told):
                self._act(request)
                await self._tell_result(request, request.result_code or "0", request.amount)
        return {request.id: request.told for request in chosen}

    def reversed(self) -> list[OperatorRequest]:
        """What was given back; for one that is planned to be a repeat, somebody did so before."""
        reversals = [each for each in self.requests if each.operation == "reversal"]
        done = [each for each in reversals if each.is_done]
        receipts = {each.subject for each in done}
        earlier = {each.subject: each for each in reversals if each.result_code == ALREADY_REVERSED}
        return done + [each for receipt, each in earlier.items() if receipt not in receipts]

    def as_json(self) -> dict[str, Any]:
        return {
            "requests": self.requests.as_json(),
            "refunded": [_moved(each) for each in self.reversed()],
            "paid_out": [_moved(each) for each in self.requests if each.operation == "b2c" and each.is_done],
        }

    def _start(self, request: OperatorRequest) -> None:
        delay = request.way.delay_s
        wait_s = self._settings.think_time_s if delay is None else delay
        self._clockwork.start(request.id, wait_s, lambda: self._live(request))

    async def _live(self, request: OperatorRequest) -> None:
        self._act(request)
        way = request.way
        if way.telling in ("withheld", "never") and not request.is_released:
            return
        if way.telling == "queue_timeout":
            await self._tell_timeout(request)
            return
        code = request.result_code or "0"
        amount = request.amount + 1 if way.telling == "tampered" else request.amount
        await self._tell_result(request, code, amount)
        if way.telling == "twice":
            await self._tell_result(request, code, amount)
        if way.telling == "contradicting":
            await self._tell_result(request, "1" if code == "0" else "0", amount)

    def _act(self, request: OperatorRequest) -> None:
        """Do it, once."""
        if request.result_code is not None:
            return
        request.acted_at = stamp(self._settings.clock())
        planned = request.way.result_code
        request.result_code = planned or self._outcome_of(request)
        if request.is_done:
            request.receipt = new_receipt()
        self.requests.save(request)

    def _outcome_of(self, request: OperatorRequest) -> str:
        match request.operation:
            case "reversal":
                return self._judge_reversal(request)
            case "transaction_status":
                request.found = self._found_request(request) or self._found_receipt(request) or {}
                return "0" if request.found else NO_SUCH_TRANSACTION
            case "account_balance":
                request.found = {"working": self._working(request.short_code)}
        return "0"

    def _judge_reversal(self, request: OperatorRequest) -> str:
        paid = self._paid(request)
        if paid is None:
            return UNKNOWN_RECEIPT
        if any(each.subject == request.subject for each in self.reversed()):
            return ALREADY_REVERSED
        # [ASSUMED] A part is refused.
        return "0" if f"{request.amount}.00" == paid["amount"] else "25"

    def _paid(self, request: OperatorRequest) -> dict[str, str] | None:
        numbers = self._numbers(request.short_code)
        for paid in self._book.paid():
            if paid["receipt"] == request.subject and paid["short_code"] in numbers:
                return paid
        return None

    def _found_receipt(self, request: OperatorRequest) -> dict[str, str] | None:
        paid = self._paid(request)
        if paid is None:
            return None
        is_back = any(each.subject == request.subject for each in self.reversed())
        return {
            "status": "Reversed" if is_back else "Completed",
            "amount": paid["amount"],
            "receipt": paid["receipt"],
            "debit": f"{paid['phone']} - Jane Doe",
        }

    def _found_request(self, request: OperatorRequest) -> dict[str, str] | None:
        for each in self.requests:
            ids = (each.id, each.originator_conversation_id, each.receipt)
            if request.subject in ids and each.short_code == request.short_code and each is not request:
                word = {None: "Pending", "0": "Completed"}.get(each.result_code, "Failed")
                return {
                    "status": word,
                    "amount": f"{each.amount}.00",
                    "receipt": each.receipt or "",
                    "at": each.acted_at,
                    "originator_conversation_id": each.originator_conversation_id,
                    "conversation_id": each.id,
                }
        return None

    def _working(self, short_code: str) -> str:
        """An opening balance of 1,000, what was paid, and what was given back, in shillings."""
        numbers = self._numbers(short_code)
        paid = sum(
            int(each["amount"].replace(".", ""))
            for each in self._book.paid()
            if each["short_code"] in numbers
        )
        back = sum(each.amount * 100 for each in self.reversed() if each.short_code == short_code)
        cents = 100_000 + paid - back
        return f"{cents // 100}.{cents % 100:02}"

    def _numbers(self, short_code: str) -> set[str]:
        known = self._apps.short_code(short_code)
        return {short_code} if known is None else {known.code, known.payee}

    async def _tell_result(self, request: OperatorRequest, code: str, amount: int) -> None:
        answer = await self._post(request.result_url, result_body(request, code, amount))
        request.told.append(f"result {code}: {answer}")
        self.requests.save(request)

    async def _tell_timeout(self, request: OperatorRequest) -> None:
        answer = await self._post(request.timeout_url, timeout_body(request))
        request.told.append(f"timeout: {answer}")
        self.requests.save(request)

    async def _post(self, url: str, body: dict[str, Any]) -> str:
        try:
            return str((await self._poster.post_json(url, body)).status)
        except Unanswered as error:
            return str(error)


def _moved(request: OperatorRequest) -> dict[str, str]:
    return {
        "receipt": request.subject if request.operation == "reversal" else request.receipt or "",
        "reversal": request.receipt or "",
        "amount": f"{request.amount}.00",
        "short_code": request.short_code,
    }
