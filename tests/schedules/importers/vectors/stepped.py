"""The configurations of the vectors of schedulers that are stepped: each is a name, the peer's own arguments, and arguments of ours alone.

Each scheduler has an ordinary configuration and others that meet its edges: boundaries, ends, empty warm-ups, warm-ups as
long as the run, and what the library does there that one would not expect.
"""

INVERSE = {"function": "inverse"}

TORCH = [
    ("StepLR", {"lr": 1.0, "step_size": 5, "gamma": 0.5}),
    ("StepLR", {"lr": 0.3, "step_size": 1}),
    ("MultiStepLR", {"lr": 1.0, "milestones": [6, 15], "gamma": 0.1}),
    ("MultiStepLR", {"lr": 0.3, "milestones": [30, 0, 7, 7], "gamma": 0.5}),
    ("ConstantLR", {"lr": 1.0, "factor": 0.25, "total_iters": 5}),
    ("ConstantLR", {"lr": 0.3, "total_iters": 0}),
    ("LinearLR", {"lr": 1.0, "start_factor": 0.1, "end_factor": 1.0, "total_iters": 8}),
    ("LinearLR", {"lr": 0.3, "end_factor": 0.0, "total_iters": 24}),
    ("LinearLR", {"lr": 0.3, "total_iters": 0}),
    ("ExponentialLR", {"lr": 1.0, "gamma": 0.9}),
    ("ExponentialLR", {"lr": 1e-3, "gamma": 1.05}),
    ("PolynomialLR", {"lr": 1.0, "total_iters": 10, "power": 2.0}),
    ("PolynomialLR", {"lr": 0.3, "total_iters": 24, "power": 0.5}),
    ("PolynomialLR", {"lr": 0.3, "total_iters": 0}),
    ("CosineAnnealingLR", {"lr": 1.0, "T_max": 9, "eta_min": 0.1}),
    ("CosineAnnealingLR", {"lr": 0.3, "T_max": 24}),
    ("CosineAnnealingLR", {"lr": 0.3, "T_max": 1}),
    ("CosineAnnealingWarmRestarts", {"lr": 1.0, "T_0": 4, "T_mult": 2, "eta_min": 0.1}),
    ("CosineAnnealingWarmRestarts", {"lr": 0.3, "T_0": 7}),
    ("CosineAnnealingWarmRestarts", {"lr": 0.3, "T_0": 1, "T_mult": 3}),
    (
        "CyclicLR",
        {"base_lr": 0.1, "max_lr": 1.0, "step_size_up": 5, "step_size_down": 3, "mode": "triangular", "gamma": 1.0},
    ),
    (
        "CyclicLR",
        {"base_lr": 0.1, "max_lr": 1.0, "step_size_up": 5, "step_size_down": 3, "mode": "triangular2", "gamma": 1.0},
    ),
    (
        "CyclicLR",
        {"base_lr": 0.1, "max_lr": 1.0, "step_size_up": 5, "step_size_down": 3, "mode": "exp_range", "gamma": 0.95},
    ),
    ("CyclicLR", {"base_lr": 0.3, "max_lr": 0.1, "step_size_up": 3}),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 1.0, "step_size_up": 4, "scale_fn": {"function": "third"}}),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 1.0, "step_size_up": 4, "scale_fn": INVERSE, "scale_mode": "iterations"}),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 1.0, "step_size_up": 5, "step_size_down": 3, "value": "momentum"}),
    ("OneCycleLR", {"max_lr": 1.0, "total_steps": 24}),
    ("OneCycleLR", {"max_lr": 1.0, "total_steps": 24, "three_phase": True, "anneal_strategy": "linear"}),
    ("OneCycleLR", {"max_lr": 1.0, "total_steps": 24, "value": "momentum"}),
    ("OneCycleLR", {"max_lr": 0.3, "total_steps": 24, "anneal_strategy": "linear"}),
    ("OneCycleLR", {"max_lr": 0.3, "epochs": 6, "steps_per_epoch": 12, "three_phase": True, "pct_start": 0.4}),
    ("OneCycleLR", {"max_lr": 0.3, "total_steps": 24, "three_phase": True, "pct_start": 0.5}),
    ("OneCycleLR", {"max_lr": 0.3, "total_steps": 24, "three_phase": True, "pct_start": 0.75}),
    ("OneCycleLR", {"max_lr": 1.0, "total_steps": 3, "pct_start": 0.1}),
    ("OneCycleLR", {"max_lr": 1.0, "total_steps": 3, "pct_start": 0.1, "anneal_strategy": "linear"}),
    ("OneCycleLR", {"max_lr": 1.0, "total_steps": 9, "pct_start": 0.1, "three_phase": True}),
    ("OneCycleLR", {"max_lr": 0.3, "total_steps": 24, "pct_start": 1.0}),
    ("OneCycleLR", {"max_lr": 0.3, "total_steps": 20, "div_factor": 5.0, "final_div_factor": 0.1, "pct_start": 0.25}),
    ("LambdaLR", {"lr": 0.3, "lr_lambda": INVERSE}),
    ("LambdaLR", {"lr": 0.3, "lr_lambda": {"function": "twentieth"}}),
    ("LambdaLR", {"lr": 1.0, "lr_lambda": INVERSE}, {"total_steps": 73}),
    ("MultiplicativeLR", {"lr": 0.3, "lr_lambda": {"function": "nearly_one"}}, {"total_steps": 73}),
    ("MultiplicativeLR", {"lr": 1.0, "lr_lambda": {"function": "twentieth"}}, {"total_steps": 73}),
    (
        "SequentialLR",
        {
            "lr": 1.0,
            "schedulers": [
                ["LinearLR", {"start_factor": 0.1, "end_factor": 1.0, "total_iters": 4}],
                ["CosineAnnealingLR", {"T_max": 20}],
            ],
            "milestones": [4],
        },
    ),
    (
        "SequentialLR",
        {
            "lr": 0.3,
            "schedulers": [
                ["CosineAnnealingLR", {"T_max": 9, "eta_min": 0.02}],
                ["ExponentialLR", {"gamma": 0.9}],
                ["ConstantLR", {"factor": 0.5, "total_iters": 0}],
                ["CosineAnnealingWarmRestarts", {"T_0": 5}],
                ["CyclicLR", {"base_lr": 0.1, "max_lr": 0.2, "step_size_up": 4}],
            ],
            "milestones": [12, 20, 25, 37],
        },
    ),
    (
        "SequentialLR",
        {
            "lr": 0.3,
            "schedulers": [
                ["OneCycleLR", {"max_lr": 1.0, "total_steps": 20}],
                ["ConstantLR", {"factor": 0.5, "total_iters": 10}],
                ["LambdaLR", {"lr_lambda": INVERSE}],
            ],
            "milestones": [20, 40],
        },
    ),
    (
        "SequentialLR",
        {
            "lr": 0.3,
            "schedulers": [["MultiStepLR", {"milestones": [3, 9]}], ["PolynomialLR", {"total_iters": 10}]],
            "milestones": [0],
        },
    ),
    (
        "ChainedScheduler",
        {
            "lr": 1.0,
            "schedulers": [["ConstantLR", {"factor": 0.1, "total_iters": 20}], ["ExponentialLR", {"gamma": 0.9}]],
        },
    ),
    (
        "ChainedScheduler",
        {
            "lr": 0.3,
            "schedulers": [
                ["LinearLR", {"start_factor": 0.1, "total_iters": 5}],
                ["CosineAnnealingLR", {"T_max": 24}],
            ],
        },
    ),
    (
        "ChainedScheduler",
        {
            "lr": 0.3,
            "schedulers": [["StepLR", {"step_size": 3}], ["LambdaLR", {"lr_lambda": INVERSE}]],
        },
    ),
]

TRANSFORMERS = [
    ("constant", {"lr": 0.3}),
    ("constant_with_warmup", {"lr": 0.3, "num_warmup_steps": 5}),
    ("constant_with_warmup", {"lr": 0.3, "num_warmup_steps": 0}),
    ("linear", {"lr": 1.0, "num_warmup_steps": 4, "num_training_steps": 20}),
    ("linear", {"lr": 0.3, "num_warmup_steps": 0, "num_training_steps": 24}),
    ("linear", {"lr": 0.3, "num_warmup_steps": 10, "num_training_steps": 10}),
    ("linear", {"lr": 0.3, "num_warmup_steps": 10, "num_training_steps": 7}),
    ("cosine", {"lr": 1.0, "num_warmup_steps": 4, "num_training_steps": 20}),
    ("cosine", {"lr": 0.3, "num_warmup_steps": 0, "num_training_steps": 24, "num_cycles": 1.25}),
    ("cosine", {"lr": 0.3, "num_warmup_steps": 3, "num_training_steps": 24, "num_cycles": 0.3}),
    ("cosine", {"lr": 0.3, "num_warmup_steps": 10, "num_training_steps": 10}),
    ("cosine", {"lr": 0.3, "num_warmup_steps": 3, "num_training_steps": 24, "num_cycles": 0.0}),
    ("cosine_with_restarts", {"lr": 1.0, "num_warmup_steps": 4, "num_training_steps": 20, "num_cycles": 3}),
    ("cosine_with_restarts", {"lr": 0.3, "num_warmup_steps": 0, "num_training_steps": 23, "num_cycles": 5}),
    ("cosine_with_restarts", {"lr": 0.3, "num_warmup_steps": 3, "num_training_steps": 24}),
    ("cosine_with_restarts", {"lr": 0.3, "num_warmup_steps": 10, "num_training_steps": 10, "num_cycles": 2}),
    ("polynomial", {"lr": 1.0, "num_warmup_steps": 4, "num_training_steps": 20, "lr_end": 0.01, "power": 2.0}),
    ("polynomial", {"lr": 0.3, "num_warmup_steps": 0, "num_training_steps": 24}),
    ("polynomial", {"lr": 0.3, "num_warmup_steps": 10, "num_training_steps": 10}),
    ("inverse_sqrt", {"lr": 1.0, "num_warmup_steps": 4, "timescale": 4}),
    ("inverse_sqrt", {"lr": 0.3, "num_warmup_steps": 7}),
    ("inverse_sqrt", {"lr": 0.3, "num_warmup_steps": 0}),
    ("inverse_sqrt", {"lr": 0.3, "num_warmup_steps": 5, "timescale": 24}),
    ("cosine_with_min_lr", {"lr": 1.0, "num_warmup_steps": 4, "num_training_steps": 20, "min_lr_rate": 0.1}),
    (
        "cosine_with_min_lr",
        {"lr": 0.3, "num_warmup_steps": 0, "num_training_steps": 24, "min_lr": 0.02, "num_cycles": 1.5},
    ),
    ("cosine_warmup_with_min_lr", {"lr": 1.0, "num_warmup_steps": 4, "num_training_steps": 20, "min_lr_rate": 0.1}),
    (
        "cosine_warmup_with_min_lr",
        {"lr": 0.3, "num_warmup_steps": 5, "num_training_steps": 24, "min_lr": 0.02, "warmup_lr_rate": 0.2},
    ),
    ("cosine_warmup_with_min_lr", {"lr": 0.3, "num_warmup_steps": 0, "num_training_steps": 24, "min_lr": 0.02}),
    (
        "cosine_warmup_with_min_lr",
        {"lr": 0.3, "num_warmup_steps": 1, "num_training_steps": 24, "min_lr": 0.0, "warmup_lr_rate": 0.2},
    ),
    *(
        (
            "warmup_stable_decay",
            {
                "lr": 1.0,
                "num_warmup_steps": 4,
                "num_stable_steps": 8,
                "num_decay_steps": 8,
                "min_lr_ratio": 0.1,
                "decay_type": kind,
            },
        )
        for kind in ("linear", "cosine", "1-sqrt")
    ),
    (
        "warmup_stable_decay",
        {"lr": 0.3, "num_warmup_steps": 5, "num_training_steps": 24, "num_decay_steps": 7, "warmup_type": "cosine"},
    ),
    (
        "warmup_stable_decay",
        {
            "lr": 0.3,
            "num_warmup_steps": 5,
            "num_training_steps": 24,
            "num_decay_steps": 9,
            "warmup_type": "1-sqrt",
            "num_cycles": 1.25,
            "min_lr_ratio": 0.2,
        },
    ),
    ("warmup_stable_decay", {"lr": 0.3, "num_warmup_steps": 0, "num_stable_steps": 0, "num_decay_steps": 24}),
    ("warmup_stable_decay", {"lr": 0.3, "num_warmup_steps": 6, "num_training_steps": 12, "num_decay_steps": 9}),
    ("warmup_stable_decay", {"lr": 0.3, "num_warmup_steps": 3, "num_stable_steps": 5, "num_decay_steps": 0}),
]

TIMM = [
    ("cosine", {"lr": 1.0, "t_initial": 20, "lr_min": 0.1, "warmup_t": 4, "warmup_prefix": False}),
    ("cosine", {"lr": 1.0, "t_initial": 20, "lr_min": 0.1, "warmup_t": 4, "warmup_prefix": True}),
    ("cosine", {"lr": 1.0, "t_initial": 4, "cycle_mul": 2.0, "cycle_decay": 0.5, "cycle_limit": 2}),
    ("cosine", {"lr": 0.3, "t_initial": 10, "warmup_t": 3, "warmup_lr_init": 1e-5}),
    (
        "cosine",
        {
            "lr": 0.3,
            "t_initial": 7,
            "lr_min": 0.01,
            "cycle_decay": 0.5,
            "cycle_limit": 4,
            "warmup_t": 3,
            "k_decay": 1.5,
        },
    ),
    ("cosine", {"lr": 0.3, "t_initial": 5, "lr_min": 0.01, "cycle_mul": 1.5, "cycle_limit": 4, "cycle_decay": 0.8}),
    ("cosine", {"lr": 0.3, "t_initial": 10, "warmup_t": 10}),
    ("cosine", {"lr": 0.3, "t_initial": 10, "warmup_t": 10, "warmup_prefix": True, "cycle_limit": 3}),
    ("tanh", {"lr": 1.0, "t_initial": 20}),
    ("tanh", {"lr": 0.3, "t_initial": 20, "warmup_t": 5, "lb": -6.0, "ub": 4.0, "lr_min": 0.01}),
    (
        "tanh",
        {
            "lr": 0.3,
            "t_initial": 8,
            "warmup_t": 5,
            "warmup_prefix": True,
            "cycle_limit": 3,
            "cycle_decay": 0.5,
            "lr_min": 0.01,
        },
    ),
    ("tanh", {"lr": 0.3, "t_initial": 6, "cycle_mul": 1.3, "cycle_limit": 3, "warmup_t": 2}),
    ("poly", {"lr": 1.0, "t_initial": 20, "power": 0.5, "k_decay": 2.0}),
    ("poly", {"lr": 0.3, "t_initial": 20, "lr_min": 0.01, "warmup_t": 4}),
    (
        "poly",
        {
            "lr": 0.3,
            "t_initial": 6,
            "power": 2.0,
            "lr_min": 0.01,
            "cycle_mul": 2.0,
            "cycle_limit": 3,
            "cycle_decay": 0.7,
            "warmup_t": 4,
            "warmup_prefix": True,
            "k_decay": 0.5,
        },
    ),
    ("step", {"lr": 1.0, "decay_t": 5, "decay_rate": 0.5}),
    ("step", {"lr": 0.3, "decay_t": 6, "decay_rate": 0.1, "warmup_t": 4}),
    (
        "step",
        {"lr": 0.3, "decay_t": 6, "decay_rate": 0.1, "warmup_t": 7, "warmup_prefix": False, "warmup_lr_init": 0.01},
    ),
    ("constant", {"lr": 0.3, "warmup_t": 5}),
    ("constant", {"lr": 0.3}),
    ("multistep", {"lr": 1.0, "decay_t": [6, 15], "decay_rate": 0.1}),
    ("multistep", {"lr": 0.3, "decay_t": [1, 7, 20, 20], "decay_rate": 0.5, "warmup_t": 5}),
    ("multistep", {"lr": 0.3, "decay_t": [7, 20], "decay_rate": 0.5, "warmup_t": 8, "warmup_prefix": False}),
    ("wsd", {"lr": 1.0, "t_initial": 18, "decay_t": 6, "lr_min": 0.1, "warmup_t": 4}),
    *(
        ("wsd", {"lr": 0.3, "t_initial": 20, "decay_t": 9, "lr_min": 0.02, "warmup_t": 4, "decay_fn": kind})
        for kind in ("linear", "cosine", "power", "exp")
    ),
    ("wsd", {"lr": 0.3, "t_initial": 20, "decay_t": 20, "decay_fn": "exp", "decay_ratio": 0.02, "warmup_lr_init": 0.1}),
    ("wsd", {"lr": 0.3, "t_initial": 20, "decay_t": 8, "decay_fn": "power", "decay_power": 2.0, "lr_min": 0.5}),
    *(
        (
            "wsd",
            {
                "lr": 0.3,
                "t_initial": 30,
                "decay_t": 9,
                "lr_min": 0.02,
                "warmup_t": 4,
                "stable_fn": "power",
                "stable_power": 1.5,
                "decay_fn": kind,
            },
        )
        for kind in ("linear", "1-sqrt", "cosine", "power", "exp")
    ),
    ("wsd", {"lr": 0.3, "t_initial": 40, "decay_t": 9, "lr_min": 0.1, "stable_fn": "rsqrt", "stable_timescale": 3}),
    ("rsqrt", {"lr": 1.0, "t_initial": 18, "decay_t": 6, "warmup_t": 4}),
    ("rsqrt", {"lr": 0.3, "t_initial": 24, "decay_t": 6, "warmup_t": 4, "lr_min": 0.01, "stable_timescale": 9}),
]
