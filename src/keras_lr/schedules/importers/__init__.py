"""Schedules of other libraries, by the names and arguments that they have there, as schedules of ours."""

from keras_lr.schedules.importers.extra_schedules import CosineWave as CosineWave
from keras_lr.schedules.importers.extra_schedules import Excerpt as Excerpt
from keras_lr.schedules.importers.extra_schedules import UnevenRepeat as UnevenRepeat
from keras_lr.schedules.importers.keras import from_keras as from_keras
from keras_lr.schedules.importers.optax import from_optax as from_optax
from keras_lr.schedules.importers.timm import from_timm as from_timm
from keras_lr.schedules.importers.torch import chains as chains
from keras_lr.schedules.importers.torch import cycles as cycles
from keras_lr.schedules.importers.torch.by_name import from_torch as from_torch
from keras_lr.schedules.importers.transformers import from_transformers as from_transformers
