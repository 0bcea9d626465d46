"""Every adapter of ours keeps the contract."""

from collections.abc import AsyncIterator

import httpx
import pytest

from core.clock import utc_now
from integrations.account import Outside
from integrations.contract import CHECKS, Check, NotApplicable
from integrations.http import open_client
from integrations.mpesa.tokens import ProcessTokens
from tests.contract.harnesses import (
    FlutterwaveHarness,
    FlutterwavePages,
    MpesaHarness,
    PaystackHarness,
    PaystackPages,
    StripeHarness,
)
from tests.contract.sandboxes import Letterbox, open_letterbox
from tests.sandbox import RunningSandbox, running_sandbox

COLLECTING = [check for check in CHECKS if check.__module__.endswith(("creating", "asking", "ending"))]
CASES = [
    *((harness, check) for harness in (MpesaHarness, StripeHarness, PaystackHarness) for check in CHECKS),
    *((FlutterwaveHarness, check) for check in CHECKS),
    # Their keys, refunds and webhooks are those of the accounts above.
    *((harness, check) for harness in (PaystackPages, FlutterwavePages) for check in COLLECTING),
]


@pytest.fixture(scope="module")
async def sandbox() -> AsyncIterator[RunningSandbox]:
    async with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
async def letterbox() -> AsyncIterator[Letterbox]:
    async with open_letterbox() as letterbox:
        yield letterbox


@pytest.fixture(scope="module")
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with open_client(httpx.Timeout(connect=2, read=0.5, write=2, pool=2)) as client:
        yield client


@pytest.mark.parametrize(("harness", "check"), CASES, ids=lambda part: part.__name__)
async def test_the_contract_is_kept(
    sandbox: RunningSandbox,
    letterbox: Letterbox,
    http: httpx.AsyncClient,
    harness: type[MpesaHarness | StripeHarness],
    check: Check,
) -> None:
    made = await harness(sandbox, Outside(http, ProcessTokens(utc_now), utc_now), letterbox).open()
    try:
        await check(made)
    except NotApplicable as why:
        pytest.skip(str(why))
