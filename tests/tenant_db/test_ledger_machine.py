"""Whatever is asked of a ledger, in whatever company: its books stay true, and each key has one effect."""

import asyncio

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tenancy.sessions import Tenant
from tests.tenant_db.ledger_machine import LedgerMachine

SOME = settings(
    max_examples=16,
    stateful_step_count=20,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.generate,),
)
"""The same in every run; what fails is told as it is, for making it smaller takes minutes."""
MANY = settings(
    SOME,
    max_examples=100,
    stateful_step_count=40,
    derandomize=False,
    phases=(Phase.generate, Phase.shrink),
    print_blob=True,
)
"""Others in every run; what fails is printed so that it can be run again."""


@pytest.mark.parametrize(
    "profile",
    [
        pytest.param(SOME, marks=pytest.mark.timeout(300), id="some"),
        pytest.param(MANY, marks=[pytest.mark.faults, pytest.mark.timeout(1_800)], id="many"),
    ],
)
async def test_random_requests_leave_true_books(tenant: Tenant, profile: settings) -> None:
    loop = asyncio.get_running_loop()

    class Machine(LedgerMachine):
        def __init__(self) -> None:
            super().__init__(tenant, loop)

    await asyncio.to_thread(run_state_machine_as_test, Machine, settings=profile)
