"""Builds of images by the engine's own builders, from Dockerfiles that are read and checked here."""
