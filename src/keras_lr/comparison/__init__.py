"""Learning rates, schedules and optimizers compared over seeds: a plan, runs, statistics, and a record of them."""

from keras_lr.comparison.case import Case as Case
from keras_lr.comparison.case import Run as Run
from keras_lr.comparison.case import Rung as Rung
from keras_lr.comparison.compare import compare as compare
from keras_lr.comparison.preview import Preview as Preview
from keras_lr.comparison.preview import preview as preview
from keras_lr.comparison.result import Comparison as Comparison
