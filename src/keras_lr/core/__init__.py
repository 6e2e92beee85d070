"""The base of all other packages: errors, argument checks, JSON records and the version."""
