"""How often a phone may be asked to pay."""

from uuid import UUID

from core.collecting import Method
from tenancy.context import Services
from tenancy.idempotency import Once
from tenancy.limits import Window
from tenant_db.payments import rules
from tenant_db.payments.initiating import NewPayment


async def spare_the_phone(services: Services, tenant_id: UUID, new: NewPayment, wanted: Once) -> None:
    """Raises RateLimited: a phone gets few prompts, from this business and from all together.

    Twins with one key are one prompt.
    """
    if new.phone is None or new.method is not Method.MOBILE_MONEY:
        return
    phone, window_s = new.phone.e164, rules.PROMPT_LIMIT_WINDOW_S
    await services.limits.hit_all(
        Window("prompt", phone, rules.PROMPTS_PER_PHONE_MAX, window_s, tenant_id=tenant_id),
        Window("prompt", phone, rules.PROMPTS_PER_PHONE_PLATFORM_MAX, window_s),
        act=f"{tenant_id}:{wanted.operation}:{wanted.key}",
    )
