"""Optimizers with a rate for each layer, and with a momentum that changes with the step or with the rate."""

from keras_lr.optimizers.adam import Adam as Adam
from keras_lr.optimizers.layerwise import layerwise_decay as layerwise_decay
from keras_lr.optimizers.momentum import Coupled as Coupled
from keras_lr.optimizers.per_layer import PerLayer as PerLayer
from keras_lr.optimizers.sgd import SGD as SGD
