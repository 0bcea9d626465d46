"""Everything outside a request: the relay, the workers, the schedules and what they run."""

# The verbs that both databases share find their tables among those that were imported.
import owner_db.models  # noqa: F401 - registers the tables
import tenant_db.models  # noqa: F401 - registers the tables
