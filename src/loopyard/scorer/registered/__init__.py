"""Scorers that an account registers under a type of its own, for the scenarios' `custom_scorer`."""
