"""TensorFlow, under the same names as the other backends."""
