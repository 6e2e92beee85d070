"""`keras-lr demo`: find, compare and train on real images of digits."""
