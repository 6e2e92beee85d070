"""One module per command: it reads the values of the options, calls one function of `keras_lr` and returns an `Answer`.

The parameters of each command are the arguments and options that `keras_lr_cli.main` declares under the same names.
"""
