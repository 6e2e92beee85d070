"""The configurations of the vectors of pure schedules, those of optax and Keras: each is a name, the peer's own arguments, and arguments of ours alone.

Each scheduler has an ordinary configuration and others that meet its edges: boundaries, ends, empty warm-ups, warm-ups as
long as the run, and what the library does there that one would not expect.
"""

_WARM = {"init_value": 0.01, "peak_value": 1.0, "warmup_steps": 4}

OPTAX = [
    ("constant_schedule", {"value": 0.3}),
    (
        "polynomial_schedule",
        {"init_value": 1.0, "end_value": 0.1, "power": 2.0, "transition_steps": 10, "transition_begin": 3},
    ),
    (
        "polynomial_schedule",
        {"init_value": 0.3, "end_value": 0.0, "power": 0.5, "transition_steps": 24, "transition_begin": -3},
    ),
    ("polynomial_schedule", {"init_value": 0.3, "end_value": 0.0, "power": 2.0, "transition_steps": 0}),
    ("linear_schedule", {"init_value": 0.0, "end_value": 0.3, "transition_steps": 7}),
    ("linear_schedule", {"init_value": 0.3, "end_value": 0.1, "transition_steps": 20, "transition_begin": 5}),
    ("piecewise_constant_schedule", {"init_value": 1.0, "boundaries_and_scales": {"6": 0.1, "15": 0.5}}),
    ("piecewise_constant_schedule", {"init_value": 0.3, "boundaries_and_scales": {"15": 0.5, "0": 0.1, "6": 2.0}}),
    ("piecewise_constant_schedule", {"init_value": 0.3}),
    (
        "exponential_decay",
        {"init_value": 1.0, "transition_steps": 5, "decay_rate": 0.5, "transition_begin": 2, "end_value": 0.1},
    ),
    ("exponential_decay", {"init_value": 0.3, "transition_steps": 6, "decay_rate": 0.5, "staircase": True}),
    (
        "exponential_decay",
        {
            "init_value": 0.3,
            "transition_steps": 6,
            "decay_rate": 1.5,
            "transition_begin": 4,
            "staircase": True,
            "end_value": 0.9,
        },
    ),
    ("exponential_decay", {"init_value": 0.3, "transition_steps": 0, "decay_rate": 0.5, "end_value": 0.9}),
    ("cosine_decay_schedule", {"init_value": 1.0, "decay_steps": 20, "alpha": 0.1, "exponent": 2.0}),
    ("cosine_decay_schedule", {"init_value": 0.3, "decay_steps": 24}),
    (
        "piecewise_interpolate_schedule",
        {"interpolate_type": "linear", "init_value": 1.0, "boundaries_and_scales": {"4": 0.1, "8": 0.01}},
    ),
    (
        "piecewise_interpolate_schedule",
        {"interpolate_type": "cosine", "init_value": 0.3, "boundaries_and_scales": {"0": 2.0, "9": 0.1, "20": 5.0}},
    ),
    ("piecewise_interpolate_schedule", {"interpolate_type": "cosine", "init_value": 0.3}),
    ("linear_onecycle_schedule", {"transition_steps": 20, "peak_value": 1.0}),
    ("linear_onecycle_schedule", {"transition_steps": 3, "peak_value": 1.0, "pct_start": 0.1, "pct_final": 0.2}),
    (
        "linear_onecycle_schedule",
        {"transition_steps": 24, "peak_value": 0.3, "pct_start": 0.4, "pct_final": 0.9, "div_factor": 5.0},
    ),
    ("cosine_onecycle_schedule", {"transition_steps": 20, "peak_value": 1.0}),
    ("cosine_onecycle_schedule", {"transition_steps": 3, "peak_value": 1.0}),
    (
        "cosine_onecycle_schedule",
        {"transition_steps": 24, "peak_value": 0.3, "pct_start": 0.15, "final_div_factor": 10.0},
    ),
    ("warmup_constant_schedule", {"init_value": 0.0, "peak_value": 0.3, "warmup_steps": 6}),
    ("warmup_constant_schedule", {"init_value": 0.0, "peak_value": 0.3, "warmup_steps": 0}),
    ("warmup_cosine_decay_schedule", {**_WARM, "decay_steps": 20, "end_value": 0.1}),
    (
        "warmup_cosine_decay_schedule",
        {"init_value": 0.0, "peak_value": 0.3, "warmup_steps": 0, "decay_steps": 24, "exponent": 1.5},
    ),
    ("warmup_exponential_decay_schedule", {**_WARM, "transition_steps": 5, "decay_rate": 0.5}),
    (
        "warmup_exponential_decay_schedule",
        {
            "init_value": 0.0,
            "peak_value": 0.3,
            "warmup_steps": 5,
            "transition_steps": 6,
            "decay_rate": 0.5,
            "transition_begin": 3,
            "staircase": True,
            "end_value": 0.02,
        },
    ),
    (
        "sgdr_schedule",
        {
            "cosine_kwargs": [
                {"init_value": 0.0, "peak_value": 1.0, "decay_steps": 10, "warmup_steps": 3, "end_value": 0.1},
                {"init_value": 0.1, "peak_value": 0.5, "decay_steps": 20, "warmup_steps": 0},
                {"init_value": 0.1, "peak_value": 0.3, "decay_steps": 15, "warmup_steps": 5, "exponent": 2.0},
            ]
        },
    ),
    (
        "sgdr_schedule",
        {"cosine_kwargs": [{"init_value": 0.1, "peak_value": 0.3, "decay_steps": 24, "warmup_steps": 0}]},
    ),
    (
        "join_schedules",
        {
            "schedules": [
                ["linear_schedule", {"init_value": 0.0, "end_value": 0.3, "transition_steps": 5}],
                ["constant_schedule", {"value": 0.3}],
                ["exponential_decay", {"init_value": 0.3, "transition_steps": 4, "decay_rate": 0.7}],
            ],
            "boundaries": [9, 20],
        },
    ),
    (
        "join_schedules",
        {
            "schedules": [
                ["cosine_decay_schedule", {"init_value": 0.3, "decay_steps": 20}],
                ["warmup_constant_schedule", {"init_value": 0.0, "peak_value": 0.2, "warmup_steps": 10}],
            ],
            "boundaries": [8],
        },
    ),
]

KERAS = [
    ("ExponentialDecay", {"initial_learning_rate": 1.0, "decay_steps": 5, "decay_rate": 0.5, "staircase": True}),
    ("ExponentialDecay", {"initial_learning_rate": 0.3, "decay_steps": 7.5, "decay_rate": 0.96}),
    ("PiecewiseConstantDecay", {"boundaries": [6, 15], "values": [1.0, 0.1, 0.05]}),
    ("PiecewiseConstantDecay", {"boundaries": [0, 2.5, 30], "values": [0.3, 0.2, 0.1, 0.05]}),
    (
        "PolynomialDecay",
        {"initial_learning_rate": 1.0, "decay_steps": 7, "end_learning_rate": 0.1, "power": 2.0, "cycle": True},
    ),
    ("PolynomialDecay", {"initial_learning_rate": 0.3, "decay_steps": 24}),
    (
        "PolynomialDecay",
        {"initial_learning_rate": 0.1, "decay_steps": 9, "end_learning_rate": 0.3, "power": 0.5, "cycle": True},
    ),
    ("PolynomialDecay", {"initial_learning_rate": 0.3, "decay_steps": 1, "cycle": True}),
    ("InverseTimeDecay", {"initial_learning_rate": 1.0, "decay_steps": 2, "decay_rate": 0.5}),
    ("InverseTimeDecay", {"initial_learning_rate": 0.3, "decay_steps": 7, "decay_rate": 1.5, "staircase": True}),
    (
        "CosineDecay",
        {"initial_learning_rate": 0.01, "decay_steps": 16, "alpha": 0.1, "warmup_target": 1.0, "warmup_steps": 4},
    ),
    ("CosineDecay", {"initial_learning_rate": 0.3, "decay_steps": 24}),
    ("CosineDecay", {"initial_learning_rate": 0.3, "decay_steps": 20, "alpha": 0.05, "warmup_steps": 9}),
    ("CosineDecay", {"initial_learning_rate": 0.3, "decay_steps": 20, "warmup_target": 0.2, "warmup_steps": 0}),
    (
        "CosineDecayRestarts",
        {"initial_learning_rate": 1.0, "first_decay_steps": 4, "t_mul": 2.0, "m_mul": 0.5, "alpha": 0.1},
    ),
    ("CosineDecayRestarts", {"initial_learning_rate": 0.3, "first_decay_steps": 7, "t_mul": 1.0, "m_mul": 0.9}),
    ("CosineDecayRestarts", {"initial_learning_rate": 0.3, "first_decay_steps": 5, "t_mul": 1.5}),
    ("CosineDecayRestarts", {"initial_learning_rate": 0.3, "first_decay_steps": 6, "alpha": 0.2}),
]
