"""Schedules that are one formula each."""
