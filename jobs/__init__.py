"""Everything outside a request: the relay, the workers, the schedules and what they run."""
