"""The core: what every other layer is made of, and nothing that knows a single primitive."""
