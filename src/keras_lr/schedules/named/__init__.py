"""Named schedules: their configuration is the user's words, their value an expression of atoms and operators."""
