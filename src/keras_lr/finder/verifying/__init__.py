"""Verifies an answer by short trainings."""
