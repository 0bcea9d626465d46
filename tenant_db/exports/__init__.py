"""Files that a business asks for: made by a job, kept in its own database, fetched by a signed link."""
