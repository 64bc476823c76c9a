"""Pages of the resources that need no more than a list, a page for each, and its deletion."""
