"""Who pays a tenant."""
