"""Commands of sandboxes as the host keeps them, whichever provider runs them."""
