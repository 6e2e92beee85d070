"""The SQLite store of the runs of a comparison."""
