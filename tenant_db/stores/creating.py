"""Opens a store."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.dialects.postgresql import insert

from core.ids import new_id
from tenancy.sessions import TenantSession
from tenant_db.stores import rules
from tenant_db.stores.errors import StoreCodeTaken
from tenant_db.stores.models import Store


@dataclass(frozen=True, slots=True)
class NewStore:
    """A shop, branch or practice to be opened.

    Raises:
        InvalidInput: a name, code or time zone that is none.
    """

    name: str
    code: str
    time_zone: str

    def __post_init__(self) -> None:
        rules.require_name(self.name)
        rules.require_code(self.code)
        rules.require_time_zone(self.time_zone)


async def create_store(session: TenantSession, new: NewStore, now: datetime) -> Store:
    """Write the store, open for business.

    Raises:
        StoreCodeTaken: another store has the code.
    """
    id_ = await session.scalar(
        insert(Store)
        .values(id=new_id(), created_at=now, name=new.name, code=new.code, time_zone=new.time_zone)
        .on_conflict_do_nothing(index_elements=["code"])
        .returning(Store.id)
    )
    if id_ is None:
        raise StoreCodeTaken(new.code)
    return await session.get_one(Store, id_)
