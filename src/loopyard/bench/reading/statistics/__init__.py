"""The figures that results are told by, as pure functions of numbers.

The standard library is enough: what is needed of the t distribution has a finite formula, and the numbers are few. So
neither numpy nor scipy (70 MB together) is asked of those who only run a server.
"""
