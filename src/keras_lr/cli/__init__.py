"""The commands of `keras-lr`, one a file: each parses, calls one function, and gives an answer with its exit code.

The console script (`keras_lr_cli.py`) declares their options and starts the framework before anything here is imported.
"""
