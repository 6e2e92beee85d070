"""Schedules of other libraries, by the names and arguments that they have there, as schedules of ours."""

from keras_lr.schedules.importers import torch_cycles as torch_cycles  # for its entries in the table of torch_
from keras_lr.schedules.importers import torch_several as torch_several
from keras_lr.schedules.importers.atoms import CosineWave as CosineWave
from keras_lr.schedules.importers.atoms import Excerpt as Excerpt
from keras_lr.schedules.importers.atoms import UnevenRepeat as UnevenRepeat
from keras_lr.schedules.importers.keras_ import from_keras as from_keras
from keras_lr.schedules.importers.optax_ import from_optax as from_optax
from keras_lr.schedules.importers.timm_ import from_timm as from_timm
from keras_lr.schedules.importers.torch_ import from_torch as from_torch
from keras_lr.schedules.importers.transformers_ import from_transformers as from_transformers
