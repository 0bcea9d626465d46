"""The README's commands, run as they stand against `hazina up`."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.embedded import passable_folder
from tests.running import Running, hazina_up

README = Path(__file__).resolve().parents[2] / "README.md"


def blocks() -> list[str]:
    found = re.findall(r"```sh\n(.*?)```", README.read_text(), re.DOTALL)
    return [block for block in found if "make run" not in block]


@pytest.fixture(scope="module")
async def running() -> AsyncIterator[Running]:
    with passable_folder() as folder:
        async with hazina_up(folder / ".hazina") as up:
            await up.line("ready ")
            yield up


async def run(running: Running, script: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *("bash", "-euo", "pipefail", "-c", script),
        cwd=running.data_dir.parent,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode()


async def test_the_first_payment_of_the_readme_succeeds(running: Running) -> None:
    assert re.fullmatch(
        r"demo payment pay_[a-z0-9]{26} succeeded KES 10\.00", await running.line("demo payment")
    )

    output = await run(running, "\n".join(blocks()))

    assert output.count('"__typename":"InitiatePaymentSuccess"') == 2
    assert '"status":"SUCCEEDED","subStatus":"stk_success"' in output
    assert '"__typename":"RegisterBusinessSuccess"' in output
    assert output.count('"__typename":"PostTransferSuccess"') == 1
    assert '"state":"POSTED","postedAmount":{"amount":"452.50"}' in output
    assert '"available":{"amount":"347.50"}' in output
    assert re.search(r'"url":"http://127\.0\.0\.1:\d+/pay/', output)
    assert '"errors"' not in output


async def test_the_same_request_twice_is_one_payment(running: Running) -> None:
    setting, paying = blocks()[:2]

    output = await run(running, f"{setting}\n{paying}\n{paying}")

    assert len(set(re.findall(r"pay_[a-z0-9]{26}", output))) == 1


async def test_credentials_are_private(running: Running) -> None:
    assert (running.data_dir / "demo.json").stat().st_mode & 0o777 == 0o600
    assert (running.data_dir / "keys" / "master.key").stat().st_mode & 0o777 == 0o600
    assert set(running.demo) >= {
        "graphql_url",
        "ws_url",
        "owner_graphql_url",
        "sandbox_url",
        "tenant",
        "tenant_user",
        "admin_user",
        "api_key",
    }
