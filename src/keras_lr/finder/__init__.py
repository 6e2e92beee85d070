"""Finds learning rates and batch sizes for compiled models."""

from keras_lr.finder.deciding.critical import CriticalRate as CriticalRate
from keras_lr.finder.deciding.other_finders import Suggestion as Suggestion
from keras_lr.finder.find import find as find
from keras_lr.finder.find_batch_size import BatchSize as BatchSize
from keras_lr.finder.find_batch_size import find_batch_size as find_batch_size
from keras_lr.finder.find_then_fit import FoundThenFitted as FoundThenFitted
from keras_lr.finder.find_then_fit import find_then_fit as find_then_fit
from keras_lr.finder.result import FindResult as FindResult
