"""Counts tokens in the answers of model APIs while their bytes pass by."""
