"""Accounts: every row belongs to one, and no caller sees another's."""
