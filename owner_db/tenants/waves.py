"""How an upgrade of the fleet grows, and when it must stop."""

from collections.abc import Sequence
from typing import Final

CANARIES: Final = 1
WAVE_SHARES: Final = (0.05, 0.25, 1.0)
"""Of all tenants, done by the end of each wave after the canaries."""
FAILURE_RATE_MAX: Final = 0.05
FAILURES_MIN: Final = 2
"""One failure past the canaries may be that tenant's own; two in a row of twenty are ours."""


def wave_sizes(tenants: int) -> Sequence[int]:
    """How many tenants each wave has; together all of them. Wave 0 is the canaries."""
    sizes = [min(CANARIES, tenants)]
    for share in WAVE_SHARES:
        sizes.append(max(0, min(tenants, -int(-tenants * share // 1)) - sum(sizes)))
    return sizes


def must_stop(wave: int, finished: int, failed: int) -> bool:
    """Whether so many failures among the finished are the migration's fault: no canary may fail."""
    if wave == 0:
        return failed > 0
    return failed >= FAILURES_MIN and failed > FAILURE_RATE_MAX * finished
