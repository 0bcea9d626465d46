"""The pure vocabulary of Hazina: money, currencies, ids, phones, pages. No I/O."""
