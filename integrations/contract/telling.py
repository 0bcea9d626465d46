"""Checks: webhooks, over bytes that anybody may have sent."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, get_args

from core.collecting import Feature
from integrations.contract.harness import Harness, NotApplicable, broken, expect, pay
from integrations.errors import BadMessage
from integrations.protocol import Intent, Paid
from integrations.webhooks import BadSignature, PaymentTold, ProviderEvent, Webhook, WebhookScheme

SECOND_SECRET: Final = "a-secret-that-is-on-its-way-out"  # noqa: S105 - invented
EXTERNAL_ID_CHARACTERS_MAX: Final = 500
MUTATIONS: Final = 200
SEED: Final = 20_261_121
REFUSAL_STATUSES: Final = (400, 401)

HOSTILE_BODIES: Final = (
    *(b"", b" ", b"null", b"true", b"0", b'""', b"[]", b"{}", b"[{}]", b"{", b"\x00", b"\xff\xfe\x00"),
    *(
        b"[" * 100_000,
        b'{"a":' * 10_000,
        b'{"event":NaN}',
        b'{"id":1e999999999}',
        b'{"id":' + b"9" * 5_000 + b"}",
    ),
    *(b'{"event":null,"data":null,"type":null,"object":null}', b'{"event":{},"data":[],"type":[],"id":{}}'),
    b'{"event":"\\ud800","type":"\\ud800","id":"\\ud800","data":{"id":"\\ud800","object":{"id":"\\ud800"}}}',
)
HOSTILE_HEADERS: Final = (
    "",
    " ",
    "0",
    "t=,v1=",
    "t=99999999999999999999,v1=00",
    "é\u0000",
    "\ud800",
    "=" * 70_000,
)


async def a_genuine_webhook_is_proven_by_either_of_two_secrets(harness: Harness) -> None:
    """While a secret is replaced, the old and the new one both prove it, in any order."""
    scheme, genuine, _ = await _told(harness)
    secrets = _secrets(harness, scheme)
    now = harness.outside.clock()
    for webhook in genuine:
        scheme.authenticate(webhook, secrets, now)
        scheme.authenticate(webhook, [SECOND_SECRET, *secrets], now)
        scheme.authenticate(webhook, [*secrets, SECOND_SECRET], now)
    expect(scheme.refusal_status in REFUSAL_STATUSES, f"a refusal is answered {scheme.refusal_status}")
    names = (*scheme.header_names,)
    expect(names and all(name == name.lower() for name in names), f"headers {names} are not in lower case")


async def a_webhook_that_is_not_genuine_is_refused(harness: Harness) -> None:
    """No header, a changed or foreign one, no secret, another body: BadSignature, nothing else."""
    scheme, genuine, _ = await _told(harness)
    secrets, now = _secrets(harness, scheme), harness.outside.clock()
    webhook = genuine[0]
    for headers in _wrong_headers(scheme, webhook.headers):
        _refused(scheme, replace(webhook, headers=headers), secrets, now)
    for wrong in ([], [""], [SECOND_SECRET], [secret[:-1] for secret in secrets]):
        _refused(scheme, webhook, wrong, now)
    if harness.signature_covers_body:
        for body in (b"", webhook.body + b" ", webhook.body[:-1], webhook.body.replace(b"1", b"2", 1)):
            if body != webhook.body:
                _refused(scheme, replace(webhook, body=body), secrets, now)


async def hostile_bytes_are_bad_messages_and_nothing_else(harness: Harness) -> None:
    """What can't be read is BadMessage; whatever can be read gives events, never another exception."""
    scheme, genuine, _ = await _told(harness)
    for body in (*HOSTILE_BODIES, *_mutated(genuine)):
        for read in (scheme.external_id, scheme.read):
            try:
                read(body)
            except BadMessage:
                continue
            except Exception as error:  # noqa: BLE001 - any other exception is the finding
                broken(f"{type(error).__name__} ({error}) for the body {body[:100]!r}")


async def a_repeat_has_the_same_id(harness: Harness) -> None:
    """The inbox drops repeats by this id: short text, equal for equal bodies, other for other messages."""
    scheme, genuine, _ = await _told(harness)
    ids = {webhook.body: scheme.external_id(webhook.body) for webhook in genuine}
    for body, external_id in ids.items():
        expect(scheme.external_id(body) == external_id, "a repeat has another id")
        is_text = 0 < len(external_id) <= EXTERNAL_ID_CHARACTERS_MAX and external_id.isprintable()
        expect(is_text, f"the id {external_id[:100]!r} can't be kept")
    expect(len(set(ids.values())) == len(ids), f"several messages share an id: {sorted(ids.values())}")


async def what_is_told_leads_to_the_payment(harness: Harness) -> None:
    """By its provider reference or our id; a Paid in it names the amount that was paid."""
    scheme, genuine, paid = await _told(harness)
    told = [event for webhook in genuine for event in scheme.read(webhook.body)]
    for event in told:
        expect(isinstance(event, get_args(ProviderEvent)), f"{event!r} is no event")
    for reference, intent in paid.items():
        ours = [each for each in told if isinstance(each, PaymentTold) and _leads(each, reference, intent)]
        expect(ours, f"nothing that was told leads to {reference}")
        amounts = {each.answer.amount for each in ours if isinstance(each.answer, Paid)}
        expect(amounts <= {intent.amount}, f"paid {intent.amount}, told {amounts}")


def _leads(told: PaymentTold, reference: str, intent: Intent) -> bool:
    return reference == told.provider_reference or intent.payment_id == told.payment_id


async def _told(harness: Harness) -> tuple[WebhookScheme, Sequence[Webhook], Mapping[str, Intent]]:
    """Two payments, and what the stand-in told of them."""
    harness.require(Feature.WEBHOOK)
    scheme = harness.integration.webhooks
    if scheme is None:
        raise NotApplicable("its webhooks are not signed: the address they come to is the secret")
    paid = {}
    for _ in range(2):
        intent, question, _ = await pay(harness)
        paid[question.provider_reference] = intent
    genuine = await harness.webhooks()
    expect(len(genuine) >= len(paid), f"{len(paid)} payments, and {len(genuine)} webhooks")
    return scheme, genuine, paid


def _secrets(harness: Harness, scheme: WebhookScheme) -> list[str]:
    expect(scheme.secret_names, "no secret is named that proves its webhooks")
    return [harness.account.secret(name) for name in scheme.secret_names]


def _wrong_headers(scheme: WebhookScheme, genuine: Mapping[str, str]) -> Iterator[Mapping[str, str]]:
    yield {}
    for name in scheme.header_names:
        yield {other: value for other, value in genuine.items() if other != name}
        value = genuine.get(name, "")
        for wrong in (*HOSTILE_HEADERS, value[: len(value) // 2], f"0{value}", _turned(value)):
            yield {**genuine, name: wrong}


def _turned(value: str) -> str:
    """The value with other letters and digits: of a signature in hex or base64, another one."""
    return value.translate(str.maketrans("0123456789abcdefABCDEF", "1234567890bcdefaBCDEFA"))


def _refused(scheme: WebhookScheme, webhook: Webhook, secrets: Sequence[str], now: datetime) -> None:
    try:
        scheme.authenticate(webhook, secrets, now)
    except BadSignature:
        return
    except Exception as error:  # noqa: BLE001 - any other exception is the finding
        broken(f"{type(error).__name__} ({error}), instead of BadSignature")
    broken(f"accepted with the headers {dict(webhook.headers)!r:.200} and {len(secrets)} secrets")


def _mutated(genuine: Sequence[Webhook]) -> Iterator[bytes]:
    """Genuine bodies, each with some bytes changed, cut out or doubled; the same in every run."""
    chance = random.Random(SEED)  # noqa: S311 - nothing secret is made of it
    for _ in range(MUTATIONS):
        body = bytearray(chance.choice(list(genuine)).body)
        for _ in range(chance.randint(1, 5)):
            place = chance.randrange(len(body) + 1)
            match chance.randrange(3):
                case 0:
                    body[place : place + 1] = bytes([chance.randrange(256)])
                case 1:
                    del body[place : place + chance.randint(1, 20)]
                case _:
                    body[place:place] = body[place : place + chance.randint(1, 20)]
        yield bytes(body)
