"""Executes the runs of a plan."""
