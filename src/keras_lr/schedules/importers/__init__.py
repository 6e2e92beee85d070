"""Schedules of other libraries, taken over by the names and arguments that they have there."""
