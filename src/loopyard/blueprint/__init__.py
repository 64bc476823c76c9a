"""Blueprints: images that devboxes are made from, built on this host."""
