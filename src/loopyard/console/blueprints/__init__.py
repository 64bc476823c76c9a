"""Pages of blueprints: with the Dockerfile, and the log of the build as it goes on."""
