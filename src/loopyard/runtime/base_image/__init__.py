"""The image that sandboxes are made of unless they ask for another, whichever provider runs them."""
