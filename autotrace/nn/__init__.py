"""Activations, initializers, convolutions and attention for neural nets."""
