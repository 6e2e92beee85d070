"""The console script `keras-lr`. It imports `keras_lr`, and with it Keras, only inside a command, so that `--help` is instant."""
