"""A report that is not whole."""


class Unreadable(Exception):
    """The text is no whole report; the message says why."""
