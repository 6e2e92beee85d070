"""A learning rate as a pure function of the step: atoms, operators and named schedules."""

from keras_lr.schedules.atoms.constants import Constant, Function, Piecewise
from keras_lr.schedules.atoms.decays import Exponential, InverseSqrt, InverseTime, PowerLaw
from keras_lr.schedules.atoms.interpolate import Interpolate
from keras_lr.schedules.atoms.ramps import Cosine, Linear, Polynomial, Ramp, Tanh
from keras_lr.schedules.base import Schedule
from keras_lr.schedules.importers.extra_schedules import CosineWave, Excerpt, UnevenRepeat
from keras_lr.schedules.named.cycles import CosineRestarts, OneCycle, SlantedTriangular, Triangular
from keras_lr.schedules.named.falling import Budgeted, KDecay, MultiStepDecay, Rex, StepDecay, TimeDecay
from keras_lr.schedules.named.whole_runs import Infinite, Noam, WarmupStableDecay
from keras_lr.schedules.operators.algebra import Clip, Product, Sum, Then
from keras_lr.schedules.operators.bound import Bound
from keras_lr.schedules.operators.clocks import Delay, Every, Repeat, Retime, Skip
from keras_lr.schedules.operators.phases import Cooldown, Warmup
from keras_lr.schedules.operators.scaled import Adopted, Scaled

__all__ = [
    "Adopted", "Bound", "Budgeted", "Clip", "Constant", "Cooldown", "Cosine", "CosineRestarts", "CosineWave", "Delay",
    "Every", "Excerpt", "Exponential", "Function", "Infinite", "Interpolate", "InverseSqrt", "InverseTime", "KDecay",
    "Linear", "MultiStepDecay", "Noam", "OneCycle", "Piecewise", "Polynomial", "PowerLaw", "Product", "Ramp", "Repeat",
    "Retime", "Rex", "Scaled", "Schedule", "Skip", "SlantedTriangular", "StepDecay", "Sum", "Tanh", "Then", "TimeDecay",
    "Triangular", "UnevenRepeat", "Warmup", "WarmupStableDecay",
]  # fmt: skip
