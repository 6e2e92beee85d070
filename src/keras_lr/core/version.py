"""The version, for the build, the records and `keras-lr --version`: the last reads this file without importing Keras."""

__version__ = "0.1.0"
