from dataclasses import replace

import httpx
import pytest

from core.clock import utc_now
from integrations.account import Account, NotConfigured, Outside
from integrations.http import ignore_call
from integrations.mpesa.tokens import ProcessTokens
from integrations.registry import adapter_for
from integrations.sandbox import demo
from tests.integrations.conftest import PROMPT
from tests.sandbox import RunningSandbox


@pytest.fixture
def outside(http: httpx.AsyncClient) -> Outside:
    return Outside(http, ProcessTokens(utc_now), utc_now)


@pytest.fixture
def account(sandbox: RunningSandbox) -> Account:
    return Account(
        provider="mpesa",
        base_url=sandbox.mpesa_url,
        paths={"c2b_register": "/mpesa/c2b/v1/registerurl"},
        details={
            "kind": "till",
            "short_code": demo.DEMO_TILL,
            "head_office_code": demo.DEMO_TILL_HEAD_OFFICE,
        },
        secrets={
            "consumer_key": demo.DEMO_CONSUMER_KEY,
            "consumer_secret": demo.DEMO_CONSUMER_SECRET,
            "passkey": demo.DEMO_PASSKEY,
        },
    )


async def test_an_account_becomes_an_adapter_that_collects(
    account: Account, outside: Outside, sandbox: RunningSandbox
) -> None:
    collector = adapter_for(account, outside, ignore_call)

    await collector.prove_keys()
    await collector.create_payment(PROMPT)

    assert (await sandbox.book())["stk"][0]["party_b"] == demo.DEMO_TILL


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        ({"provider": "nobody"}, "nobody"),
        ({"secrets": {"consumer_key": "k", "consumer_secret": "s"}}, "passkey"),
        ({"details": {"kind": "till", "short_code": "1", "head_office_code": None}}, "head_office_code"),
        ({"details": {}}, "short_code"),
    ],
)
def test_what_is_missing_is_named(
    account: Account, outside: Outside, change: dict[str, object], missing: str
) -> None:
    incomplete = replace(account, **change)  # type: ignore[arg-type] # fields of an Account

    with pytest.raises(NotConfigured, match=missing):
        adapter_for(incomplete, outside, ignore_call)


def test_an_account_prints_no_secret(account: Account) -> None:
    assert demo.DEMO_PASSKEY not in repr(account)
