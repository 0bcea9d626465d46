"""M-Pesa short codes of the tenant."""
