"""People: sign-in, memberships, roles, invitations, API keys."""
