"""M-Pesa through Daraja, Safaricom Kenya's API."""
