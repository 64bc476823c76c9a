"""Axons: durable event streams, each with a private SQL database."""
