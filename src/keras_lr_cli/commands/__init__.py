"""One module per command: each parses its options, calls one function of `keras_lr` and returns an answer."""
