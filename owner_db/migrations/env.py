"""How Alembic reaches the owner database."""

import owner_db.models  # noqa: F401 - completes the metadata
from tenancy.columns import OwnerModel
from tenancy.migrations import run_chain

run_chain(OwnerModel.metadata)
