"""How Alembic reaches the database of one tenant."""

import tenant_db.models  # noqa: F401 - completes the metadata
from tenancy.columns import TenantModel
from tenancy.migrations import run_chain

run_chain(TenantModel.metadata)
