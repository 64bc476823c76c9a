"""Network policies: what the devboxes that name one may reach."""
