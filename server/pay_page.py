"""The page where an order is paid, as one HTML file without anything to load.

What the payer must know is in the markup; the script adds paying and live updates. Style and script
are allowed by their hashes, and nothing else is: no other host, no frame, no form that leaves.
"""

import base64
import re
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import Any, Final

import orjson

from core.currency import Currency
from core.money import Money
from server.pay_documents import PAY, WATCH, document_id

BYTES_MAX: Final = 50_000
"""Of the whole page, with the hundred items an order may have."""
SHOWN_ONCE: Final = frozenset({"businessName", "storeName", "reference", "description", "items"})
"""What never changes, so the script needs none of it."""


def page(checkout: Mapping[str, Any]) -> str:
    """The page of one order, from the answer to `SHOW`: with names and values as the script knows them."""
    business, currency = checkout["businessName"], Currency(checkout["total"]["currency"])
    state = {name: value for name, value in checkout.items() if name not in SHOWN_ONCE}
    data = {
        "state": orjson.dumps(state).decode(),
        "documents": orjson.dumps({"watch": document_id(WATCH), "pay": document_id(PAY)}).decode(),
        "exponent": str(currency.exponent),
        "business": business,
        "live": "no",
    }
    attributes = "".join(f' data-{name}="{escape(value)}"' for name, value in data.items())
    is_paid, store = checkout["status"] == "PAID", checkout["storeName"]
    content = _CONTENT.format(
        business=escape(business),
        store="" if store == business else f"{escape(store)} · ",
        description=escape(checkout["description"]),
        reference=escape(checkout["reference"]),
        due_label="Paid" if is_paid else "To pay",
        due=shown(checkout["paid" if is_paid else "due"]),
        status="<h2>{}</h2><p>{}</p>".format(*map(escape, _told(checkout))),
        rows="".join(map(_row, checkout["items"])),
        total=shown(checkout["total"]),
        by_hand_hidden="" if checkout["byHand"] else " hidden",
        by_hand=_by_hand(checkout["byHand"]),
    )
    return _whole(f"Pay {escape(business)}", content, attributes, f"<script>{_asset('pay.js')}</script>")


def notice(title: str, text: str) -> str:
    """A page that says one thing, and names nobody."""
    content = f"<h1>{escape(title)}</h1><p>{escape(text)}</p>"
    return _whole(escape(title), content, "", "")


@cache
def policy() -> str:
    """The Content-Security-Policy of these pages."""
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src '{_hash('pay.js')}'",
            f"style-src '{_hash('pay.css')}'",
            "img-src data:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )


def shown(money: Mapping[str, str]) -> str:
    """As the script writes it, with all decimal places of the currency: `KES 1,500.00`."""
    exact = Money(int(money["amountMinor"]), Currency(money["currency"]))
    # Its decimal places are those of the currency, so nothing is rounded.
    return f"{exact.currency}\N{NO-BREAK SPACE}{exact.amount:,f}"


def _told(checkout: Mapping[str, Any]) -> tuple[str, str]:
    """What the script says of the same state, for whoever has none, and until it runs."""
    attempt = checkout["attempt"]
    if checkout["status"] == "PAID":
        return "Paid. Thank you!", f"Receipt {attempt['receipt']}" if attempt and attempt["receipt"] else ""
    if checkout["status"] == "CANCELLED":
        return "This order was cancelled", "There is nothing to pay."
    if checkout["status"] == "EXPIRED":
        return "This order has expired", "It can't be paid any more. Ask for a new link."
    if attempt is None:
        return "Ready to pay", "Choose how to pay below."
    if attempt["failure"] is not None:
        return "Not paid", attempt["failure"]
    return "Waiting for your payment", attempt["instructions"]


def _row(item: Mapping[str, Any]) -> str:
    count = "" if item["quantity"] == 1 else f' <span class="soft">&times; {item["quantity"]}</span>'
    return f"<tr><td>{escape(item['name'])}{count}</td><td>{shown(item['total'])}</td></tr>"


def _by_hand(by_hand: Mapping[str, Any] | None) -> str:
    if by_hand is None:
        return ""
    pairs = [
        ("Business number", by_hand["shortCode"]),
        ("Account number", by_hand["account"]),
        ("Amount", shown(by_hand["amount"])),
    ]
    return "".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in pairs)


def _whole(title: str, content: str, data: str, script: str) -> str:
    parts = {"title": title, "style": _asset("pay.css"), "data": data, "content": content, "script": script}
    # In one pass: what people have typed is never taken for a place.
    return _PLACE.sub(lambda place: parts[place[1]], _asset("pay.html"))


@cache
def _asset(name: str) -> str:
    return files("server.pages").joinpath(name).read_text().strip()


def _hash(name: str) -> str:
    return f"sha256-{base64.b64encode(sha256(_asset(name).encode()).digest()).decode()}"


_PLACE: Final = re.compile(r"\{\{(\w+)\}\}")
_CONTENT: Final = """\
<h1>Pay {business}</h1>
<p class="soft">{store}{description} · {reference}</p>
<section class="card" aria-labelledby="due-label">
<p id="due-label">{due_label}</p>
<p class="due" id="due">{due}</p>
<table>
<caption>What it is for</caption>
<thead><tr><th scope="col">Item</th><th scope="col">Price</th></tr></thead>
<tbody>{rows}</tbody>
<tfoot><tr><th scope="row">Total</th><td>{total}</td></tr></tfoot>
</table>
</section>
<section class="card" id="status" role="status" aria-live="polite" tabindex="-1">{status}</section>
<p id="offline" class="soft" role="status" hidden>There is no connection. We keep trying.</p>
<noscript><p class="card">To pay on this page, switch JavaScript on.</p></noscript>
<form class="card" id="ways" novalidate hidden aria-label="Pay">
<fieldset><legend>How do you want to pay?</legend><div id="choices"></div></fieldset>
<div id="phone-part"><label for="phone">Phone number that pays</label>
<input id="phone" type="tel" autocomplete="tel" inputmode="tel" aria-describedby="error"></div>
<div id="email-part" hidden><label for="email">Your e-mail address, for the receipt</label>
<input id="email" type="email" autocomplete="email" aria-describedby="error"></div>
<p class="error" id="error" role="alert"></p>
<button id="pay">Pay</button>
</form>
<section class="card" id="by-hand"{by_hand_hidden} aria-labelledby="by-hand-title">
<h2 id="by-hand-title">Or pay from your M-Pesa menu</h2>
<p>Choose Lipa na M-Pesa, then Pay Bill, and type:</p>
<dl id="by-hand-list">{by_hand}</dl>
</section>"""
