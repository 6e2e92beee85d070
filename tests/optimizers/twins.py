"""Optimizers once more, in NumPy float64, variable by variable: written from the papers and from PyTorch's documentation."""

import numpy as np


class Twin:
    """One variable, its state, and the rule of its update. `decay` is decoupled: w -= decay_rate * decay * w, before."""

    def __init__(self, value, decay=0.0):
        self.value = np.array(value, np.float64)
        self.decay = decay
        self.updates = 0

    def update(self, gradient, rate, decay_rate=None):
        self.value = self.value * (1.0 - (rate if decay_rate is None else decay_rate) * self.decay)
        self.value = self.value - self.direction(np.asarray(gradient, np.float64), rate)
        self.updates += 1
        return self.value


class KerasSGD(Twin):
    """The velocity has the rate inside."""

    def __init__(self, value, decay=0.0, momentum=0.9):
        super().__init__(value, decay)
        self.momentum, self.velocity = momentum, 0.0

    def direction(self, gradient, rate):
        self.velocity = self.momentum * self.velocity + rate * gradient
        return self.velocity


class Adam(Twin):
    """With Keras's epsilon; `corrected` says by what the first moment is divided."""

    def __init__(self, value, decay=0.0, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
        super().__init__(value, decay)
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon
        self.m, self.v, self.product = 0.0, 0.0, 1.0

    def direction(self, gradient, rate):
        beta = self.beta_1 if isinstance(self.beta_1, float) else self.beta_1[self.updates]
        self.product *= beta
        self.m = beta * self.m + (1 - beta) * gradient
        self.v = self.beta_2 * self.v + (1 - self.beta_2) * gradient**2
        second = np.sqrt(1 - self.beta_2 ** (self.updates + 1))
        return rate * self.m / (1 - self.product) * second / (np.sqrt(self.v) + self.epsilon)


class RMSprop(Twin):
    def __init__(self, value, decay=0.0):
        super().__init__(value, decay)
        self.v = 0.0

    def direction(self, gradient, rate):
        self.v = 0.9 * self.v + 0.1 * gradient**2
        return rate * gradient / np.sqrt(self.v + 1e-7)


class Nadam(Twin):
    """Its momentum warms up: u(t) = beta_1 * (1 - 0.96**t / 2), and the correction is the product of these."""

    def __init__(self, value, decay=0.0, beta_1=0.9, beta_2=0.999):
        super().__init__(value, decay)
        self.beta_1, self.beta_2 = beta_1, beta_2
        self.m, self.v, self.product = 0.0, 0.0, 1.0

    def direction(self, gradient, rate):
        t = self.updates + 1
        u, following = (self.beta_1 * (1 - 0.5 * 0.96**n) for n in (t, t + 1))
        self.product *= u
        self.m = self.beta_1 * self.m + (1 - self.beta_1) * gradient
        self.v = self.beta_2 * self.v + (1 - self.beta_2) * gradient**2
        m = following * self.m / (1 - self.product * following) + (1 - u) * gradient / (1 - self.product)
        return rate * m / (np.sqrt(self.v / (1 - self.beta_2**t)) + 1e-7)


class TorchSGD(Twin):
    """The velocity has no rate in it; the momentum is that of the update."""

    def __init__(self, value, momenta, nesterov=False):
        super().__init__(value)
        self.momenta, self.nesterov, self.velocity = momenta, nesterov, 0.0

    def direction(self, gradient, rate):
        momentum = self.momenta[self.updates]
        self.velocity = momentum * self.velocity + gradient
        return rate * (gradient + momentum * self.velocity if self.nesterov else self.velocity)


class TorchAdam(Adam):
    """PyTorch corrects by 1 - beta**t with the beta of the moment."""

    def direction(self, gradient, rate):
        right = super().direction(gradient, rate)
        return right * (1 - self.product) / (1 - self.beta_1[self.updates] ** (self.updates + 1))
