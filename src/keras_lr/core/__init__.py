"""Errors, argument checks and frozen records: what every floor above stands on. Imports nothing of ours."""
