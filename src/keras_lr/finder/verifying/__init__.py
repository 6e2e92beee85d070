"""Verifies an answer by trials: short trainings, compared by their validation loss."""
