"""Use cases: check the scope, open one transaction, call the domain, announce."""

# The verbs that both databases share find their tables among those that were imported.
import owner_db.models  # noqa: F401 - registers the tables
import tenant_db.models  # noqa: F401 - registers the tables
