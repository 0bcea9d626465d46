"""The simulated payers: each acts on a prompt after a while, and M-Pesa tells of it once."""

import asyncio
import hashlib
import json
import secrets
from collections.abc import Coroutine
from datetime import datetime
from typing import Any, Final

from integrations.sandbox.book import EAST_AFRICA_TIME, Book, ManualPayment, StkRequest, new_receipt
from integrations.sandbox.outcomes import description_of
from integrations.sandbox.posting import Poster, Unanswered
from integrations.sandbox.settings import SandboxSettings

VALIDATION_TIMEOUT_S: Final = 8.0
STAMP: Final = "%Y%m%d%H%M%S"


class Payers:
    """Runs one task for each prompt, and sends what M-Pesa would send."""

    def __init__(self, settings: SandboxSettings, book: Book, poster: Poster) -> None:
        self._settings = settings
        self._book = book
        self._poster = poster
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._hurries: dict[str, asyncio.Event] = {}

    def resume(self) -> None:
        """Go on with what a restart cut off."""
        for request in self._book.requests.values():
            if not request.told:
                self.ask(request)

    def ask(self, request: StkRequest) -> None:
        """Show the prompt to its payer; the rest happens by itself."""
        self._hurries[request.id] = asyncio.Event()
        self._start(request, self._live(request))

    async def finished(self, request: StkRequest) -> None:
        """Wait until its payer has acted and all was told."""
        task = self._tasks.get(request.id)
        if task is not None:
            await task

    async def release(self, request: StkRequest) -> None:
        """Let happen now what was late or withheld; returns when it has been told."""
        request.is_released = True
        self._book.save(request)
        task = self._tasks.get(request.id)
        if task is not None:
            self._hurries[request.id].set()
            await task
        if not request.told:
            # It had ended without a word, or did so right before it heard of its release.
            await self._start(request, self._tell(request))

    async def pay_by_hand(self, payment: ManualPayment, masking: str) -> None:
        """Pay without a prompt, and tell of it."""
        self._book.save(payment)
        body = self._confirmation(payment, masking)
        payment.told.append(await self._confirm(payment.short_code, body))
        self._book.save(payment)

    async def is_welcome(self, payment: ManualPayment, masking: str) -> bool:
        """Ask the validation URL, as for short codes with external validation; eight seconds at most."""
        urls = self._book.urls.get(payment.short_code)
        if urls is None:
            return True
        body = {**self._confirmation(payment, masking), "OrgAccountBalance": ""}
        try:
            answer = await self._poster.post_json(urls.validation_url, body, timeout_s=VALIDATION_TIMEOUT_S)
            return str(json.loads(answer.body).get("ResultCode")) == "0"
        except (Unanswered, ValueError, AttributeError):
            return urls.response_type == "Completed"

    async def stop(self) -> None:
        """Cut off what still waits."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks.clear()

    def _start(self, request: StkRequest, life: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        self._hurries.setdefault(request.id, asyncio.Event())
        task = self._tasks[request.id] = asyncio.create_task(life)
        task.add_done_callback(lambda _: self._tasks.pop(request.id, None))
        return task

    async def _live(self, request: StkRequest) -> None:
        way = request.way
        await self._wait(request, self._settings.think_time_s if way.delay_s is None else way.delay_s)
        if request.result_code is None:
            request.result_code = way.result_code
            request.acted_at = stamp(self._settings.clock())
            request.receipt = new_receipt() if way.result_code == "0" else None
            self._book.save(request)
        await self._wait(request, way.callback_delay_s)
        is_kept_back = way.callback == "withheld" or (way.callback == "never" and way.c2b == "registered")
        if request.is_released or not is_kept_back:
            await self._tell(request)

    async def _wait(self, request: StkRequest, delay_s: float) -> None:
        try:
            await asyncio.wait_for(self._hurries[request.id].wait(), delay_s)
        except TimeoutError:
            return

    async def _tell(self, request: StkRequest) -> None:
        way = request.way
        if way.c2b == "before":
            await self._tell_confirmation(request)
        if way.c2b != "instead" and (way.callback != "never" or request.is_released):
            await self._tell_callbacks(request)
        if way.c2b in ("registered", "after", "instead"):
            await self._tell_confirmation(request)

    async def _tell_callbacks(self, request: StkRequest) -> None:
        way, code = request.way, request.result_code or "0"
        if way.callback in ("forged", "malformed") and not request.is_released:
            await self._tell_falsely(request)
            return
        amount = request.amount + 1 if way.callback == "tampered" else request.amount
        verdicts = [(code, request.receipt)]
        if way.callback == "twice":
            verdicts *= 2
        if way.callback == "contradicting":
            verdicts.append(("1032", None) if request.is_paid else ("0", new_receipt()))
        for verdict, receipt in verdicts:
            answer = await self._post(request.callback_url, callback_body(request, verdict, receipt, amount))
            request.told.append(f"callback {verdict}: {answer}")
            self._book.save(request)

    async def _tell_falsely(self, request: StkRequest) -> None:
        """What anybody could send who does not know the address, or nobody can read."""
        known, _, item = request.callback_url.rpartition("/")
        before, _, _ = known.rpartition("/")
        if request.way.callback == "malformed":
            bodies = {request.callback_url: {"Body": {"stkCallback": {"ResultCode": 0}}}}
        else:
            forged = callback_body(request, "0", new_receipt(), request.amount)
            other = secrets.token_hex(16)
            bodies = {f"{known}/{other}": forged, f"{before}/{other}/{item}": forged, known: forged}
        for url, body in bodies.items():
            request.told.append(f"{request.way.callback}: {await self._post(url, body)}")
        self._book.save(request)

    async def _tell_confirmation(self, request: StkRequest) -> None:
        if request.receipt is None:
            return
        short_code = request.short_code if request.short_code in self._book.urls else request.party_b
        if short_code not in self._book.urls:
            return
        is_till = request.transaction_type == "CustomerBuyGoodsOnline"
        payment = ManualPayment(
            receipt=request.receipt,
            short_code=short_code,
            phone=request.phone,
            amount=f"{request.amount}.00",
            reference="" if is_till else request.reference,
            paid_at=request.acted_at,
        )
        body = self._confirmation(payment, "masked")
        if is_till:
            body["TransactionType"] = "Customer Merchant Payment"
        request.told.append(await self._confirm(short_code, body))
        self._book.save(request)

    async def _confirm(self, short_code: str, body: dict[str, str]) -> str:
        urls = self._book.urls.get(short_code)
        if urls is None:
            return "confirmation: no URL registered"
        return f"confirmation: {await self._post(urls.confirmation_url, body)}"

    async def _post(self, url: str, body: dict[str, Any]) -> str:
        """Send once: Daraja doesn't try again, whatever comes back."""
        try:
            return str((await self._poster.post_json(url, body)).status)
        except Unanswered as error:
            return str(error)

    def _confirmation(self, payment: ManualPayment, masking: str) -> dict[str, str]:
        return {
            "TransactionType": "Pay Bill" if payment.reference else "Customer Merchant Payment",
            "TransID": payment.receipt,
            "TransTime": payment.paid_at,
            "TransAmount": payment.amount,
            "BusinessShortCode": payment.short_code,
            "BillRefNumber": payment.reference,
            "InvoiceNumber": "",
            "OrgAccountBalance": "25000.00",
            "ThirdPartyTransID": "",
            "MSISDN": mask(payment.phone, masking),
            "FirstName": "JANE",
            "MiddleName": "",
            "LastName": "",
        }


def stamp(now: datetime) -> str:
    return now.astimezone(EAST_AFRICA_TIME).strftime(STAMP)


def mask(phone: str, masking: str) -> str:
    """The payer's number as the generations of C2B tell it: `masked`, `hashed` or `clear`."""
    if masking == "hashed":
        return hashlib.sha256(phone.encode()).hexdigest()
    return phone if masking == "clear" else f"{phone[:4]} ***** {phone[-3:]}"


def callback_body(request: StkRequest, code: str, receipt: str | None, amount: int) -> dict[str, Any]:
    """The callback of a prompt; a failure names nothing but its code."""
    told: dict[str, Any] = {
        "MerchantRequestID": request.merchant_request_id,
        "CheckoutRequestID": request.id,
        "ResultCode": int(code) if code.isdigit() else code,
        "ResultDesc": description_of(code),
    }
    if code == "0":
        told["CallbackMetadata"] = {
            "Item": [
                {"Name": "Amount", "Value": amount},
                {"Name": "MpesaReceiptNumber", "Value": receipt},
                {"Name": "Balance"},
                {"Name": "TransactionDate", "Value": int(request.acted_at)},
                {"Name": "PhoneNumber", "Value": int(request.phone)},
            ]
        }
    return {"Body": {"stkCallback": told}}
