"""What payers owe: orders with their items, each paid once, by as many attempts as it takes."""
