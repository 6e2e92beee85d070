"""Thin Keras callbacks over plain state: watching the rate of a running `fit`."""
