"""Console: pages for a browser, on the same port as the API and by the same services.

A folder per family of pages, with its templates beside its handlers. `families` lists them.
"""
