"""Runs in the box, by the box's own Python (3.6 or newer) and with nothing but its standard library.

A judge starts the tests and never imports code under test. A reporter, loaded by Python's start-up before anything of
the working directory can be, tells the judge each outcome over a socket, in records that are numbered and signed.
"""
