"""Do the books agree with themselves and with the payments? What does not becomes a finding for a person."""
