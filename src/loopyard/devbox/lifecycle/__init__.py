"""The life of a devbox: its states, and the work that each asks for."""
