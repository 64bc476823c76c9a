"""Container engines to compare with, each started privately: own storage, own network namespace, gone afterwards."""
