"""Schedules that are made of other schedules."""
