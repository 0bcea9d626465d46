"""A link to pay says whose order it opens, and can't be made or changed by anybody else."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from core.ids import new_id
from tenancy.checkout_tokens import TOKEN_CHARACTERS, CheckoutToken
from tenancy.errors import NotSignedIn

KEY = b"k" * 32
AT = datetime(2026, 11, 21, 12, 0, 0, 999_999, UTC)
TOKEN = CheckoutToken.written(new_id(), new_id(), AT, KEY)


def test_a_token_is_read_back_and_proven_by_its_order_s_key() -> None:
    read = CheckoutToken.read(str(TOKEN))

    assert read == TOKEN
    assert read.is_proven(KEY)
    assert read.expires_at == AT.replace(microsecond=0)
    assert len(str(TOKEN)) == TOKEN_CHARACTERS


@pytest.mark.parametrize(
    "changed",
    [
        replace(TOKEN, tenant_id=new_id()),
        replace(TOKEN, order_id=new_id()),
        replace(TOKEN, expires_at=TOKEN.expires_at + timedelta(seconds=1)),
        replace(TOKEN, proof=bytes(16)),
        CheckoutToken.written(TOKEN.tenant_id, TOKEN.order_id, AT, b"o" * 32),
    ],
    ids=["tenant", "order", "expiry", "proof", "key"],
)
def test_whatever_is_changed_proves_nothing(changed: CheckoutToken) -> None:
    assert not CheckoutToken.read(str(changed)).is_proven(KEY)


@pytest.mark.parametrize(
    "text", ["", "x", "!" * TOKEN_CHARACTERS, "é" * TOKEN_CHARACTERS, "_" * TOKEN_CHARACTERS, "A" * 9_000]
)
def test_what_can_be_no_token_is_refused(text: str) -> None:
    with pytest.raises(NotSignedIn):
        CheckoutToken.read(text)


def test_a_token_does_not_print_itself() -> None:
    assert str(TOKEN) not in repr(TOKEN)
