"""Thin Keras callbacks over plain state: record the rate of a running `fit`, change it, and reduce it on a plateau."""
