"""What providers sent that could not be stored in a tenant's own inbox."""
