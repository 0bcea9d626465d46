"""Probes: `/healthz` says the process runs, `/readyz` that it can serve."""

import asyncio
from typing import Final

from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from server.compose import Process
from tenancy.errors import TenantUnavailable, TransactionInterrupted

PATIENCE_S: Final = 2.0


async def alive(_request: Request) -> Response:
    """The process answers; restart it where it does not."""
    return JSONResponse({"status": "alive"})


async def readiness(process: Process) -> dict[str, str]:
    """What this process needs, each `ok` or the kind of its failure."""
    owner, redis = await asyncio.gather(_owner(process), _redis(process))
    return {"owner_database": owner, "redis": redis}


async def _owner(process: Process) -> str:
    try:
        async with asyncio.timeout(PATIENCE_S), process.services.owner.reading() as session:
            await session.execute(text("SELECT 1"))
    except (SQLAlchemyError, TransactionInterrupted, TenantUnavailable, TimeoutError) as error:
        return type(error).__name__
    return "ok"


async def _redis(process: Process) -> str:
    try:
        async with asyncio.timeout(PATIENCE_S):
            await process.redis.ping()
    except (RedisError, OSError, TimeoutError) as error:
        return type(error).__name__
    return "ok"
