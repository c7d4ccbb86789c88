"""The drawn problems of *L1,∞ weight normalization*, sections 5.1 and 5.2, with every gap of the text as an argument.

Regression (sec. 5.1): β_i ~ Unif(low, high) for i ≤ 100, the rest zero; z ~ N(0, I); x_1 = z_1 and
x_j = z_j + 0.2 (z_{j−1} + z_{j+1}) for j = 2, …, 1000; y ~ N(xᵀβ, 1).  500 samples to train, 1,500 to test.

Classification (sec. 5.2): α ~ N(0, 1), x_j ~ N(α/2, 1/4) for j = 1, …, 500, and y = 1 where
e^{x_1} + x_2² + 5 sin(x_3 x_4) − 3 > 0.  500 samples to train, 1,000 to test.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from wnverify.finding import seed_of

if TYPE_CHECKING:
    from wnverify.experiments.data.samples import Dataset

REGRESSION_INPUTS: Final = 1000
REGRESSION_TRAIN, REGRESSION_TEST = 500, 1500
NONZERO: Final = 100
COUPLING: Final = 0.2
FITTING_INTERVAL: Final = (0.15, 1.5)
"""The interval of β that the printed errors of Table 1 can come from; see the claim L1-51-SCALE."""

CLASSIFICATION_INPUTS: Final = 500
CLASSIFICATION_TRAIN, CLASSIFICATION_TEST = 500, 1000
SPREADS: Final = {"1/4 is the variance": 0.5, "1/4 is the deviation": 0.25}
"""Standard deviation of x_{ij} given α, by reading of N(α/2, 1/4)."""
FOLDS: Final = 10
ALPHAS: Final = ("one for each sample", "one for all samples")


class Regression(NamedTuple):
    """Samples X (n, d), y (n,), and the coefficients β (d,)."""

    X: Any
    y: Any
    beta: Any


class Labelled(NamedTuple):
    """X (n, d) in float32 and labels (n,) in {0, 1}."""

    X: Any
    labels: Any


def regression(seed: int, interval: tuple[float, float] = FITTING_INTERVAL) -> Dataset:
    """The regression problem of section 5.1 with β_i ~ Unif(*interval*), drawn from ``seed``."""
    import numpy as np

    from wnverify.experiments.data.samples import Arrays, Dataset

    low, high = interval
    if not low < high:
        raise ValueError(f"interval must be two numbers in rising order; got {interval}")
    rng = np.random.default_rng(seed_of("data", "regression", seed))
    train = regression_samples(rng, low, high)
    test = sampled(rng, train.beta, REGRESSION_TEST)
    kept, fresh = (Arrays(each.X.astype(np.float32), each.y.astype(np.float32)) for each in (train, test))
    return Dataset(
        "regression",
        kept,
        fresh,
        shape=(REGRESSION_INPUTS,),
        decided=(
            "z has 1,001 entries: at j = 1000 the text uses z_{1001}",
            f"β_i ~ Unif({low:g}, {high:g}); printed is Unif(0.15, 150), whose errors are thousands of times those "
            "of Table 1",
            "β is drawn once a trial and kept for its test samples",
        ),
    )


def classification(
    seed: int,
    spread: str = "1/4 is the variance",
    alpha: str = "one for each sample",
    inputs: int = CLASSIFICATION_INPUTS,
) -> Dataset:
    """The classification problem of section 5.2, read as ``spread`` and ``alpha`` say, drawn from ``seed``."""
    import numpy as np

    from wnverify.experiments.data.samples import Arrays, Dataset

    for name, value, known in (("spread", spread, tuple(SPREADS)), ("alpha", alpha, ALPHAS)):
        if value not in known:
            raise ValueError(f"{name} must be one of {', '.join(map(repr, known))}; got {value!r}")
    rng = np.random.default_rng(seed_of("data", "classification", seed))
    common = None if alpha == ALPHAS[0] else float(rng.standard_normal())
    train, test = (
        Arrays(*labelled_samples(rng, count, SPREADS[spread], common, inputs))
        for count in (CLASSIFICATION_TRAIN, CLASSIFICATION_TEST)
    )
    said = "α is drawn for every sample" if common is None else f"α = {common:.3f} is drawn once for all samples"
    return Dataset(
        "classification",
        train,
        test,
        shape=(inputs,),
        classes=2,
        decided=(f"N(α/2, 1/4): {spread}", f"{said}; the text draws it before 'for all i'"),
    )


def regression_folds(seed: int, folds: int = FOLDS) -> Dataset:
    """One fold of the training samples drawn from ``seed``: the others to train on, this one to be scored on.

    Every seed has samples of its own, for folds of the same ones share what they are trained on: no two of their
    scores are independent, and no unbiased estimate of the variance of their mean exists (Y. Bengio and Y.
    Grandvalet, J. Mach. Learn. Res. 5 (2004), 1089-1105).  The expected score is the same.
    """
    return _fold(regression(seed), seed, folds)


def classification_folds(seed: int, folds: int = FOLDS) -> Dataset:
    """As ``regression_folds``, of the classification problem."""
    return _fold(classification(seed), seed, folds)


def _fold(data: Dataset, seed: int, folds: int) -> Dataset:
    import dataclasses

    import numpy as np

    from wnverify.experiments.data.samples import subset

    if not 2 <= folds <= len(data.train):
        raise ValueError(f"folds must be at least 2 and at most the {len(data.train)} samples; got {folds}")
    scored = np.arange(len(data.train)) % folds == seed % folds
    train, test = (subset(data.train, np.flatnonzero(chosen)) for chosen in (~scored, scored))
    return dataclasses.replace(data, name=f"{data.name}_folds", train=train, test=test)


def mixed(Z: Any) -> Any:
    """X (n, d) from Z (n, d + 1): x_1 = z_1, x_j = z_j + 0.2 (z_{j−1} + z_{j+1}); z_{d+1} is drawn as well."""
    X = Z[:, :-1].copy()
    X[:, 1:] += COUPLING * (Z[:, :-2] + Z[:, 2:])
    return X


def regression_samples(rng: Any, low: float, high: float) -> Regression:
    """500 samples as in section 5.1 with β_i ~ Unif(low, high) for i ≤ 100 and noise of variance 1."""
    import numpy as np

    beta = np.zeros(REGRESSION_INPUTS)
    beta[:NONZERO] = rng.uniform(low, high, NONZERO)
    return sampled(rng, beta, REGRESSION_TRAIN)


def sampled(rng: Any, beta: Any, count: int) -> Regression:
    """``count`` samples for these coefficients."""
    X = mixed(rng.standard_normal((count, REGRESSION_INPUTS + 1)))
    return Regression(X, X @ beta + rng.standard_normal(count), beta)


def labelled_samples(
    rng: Any, count: int, spread: float, alpha: float | None, inputs: int = CLASSIFICATION_INPUTS
) -> Labelled:
    """``count`` samples with the α given, or with an α of its own for each sample."""
    import numpy as np

    centre = rng.standard_normal((count, 1)) if alpha is None else np.full((count, 1), alpha)
    X = centre / 2 + spread * rng.standard_normal((count, inputs))
    return Labelled(X.astype(np.float32), labels_of(X))


def labels_of(X: Any) -> Any:
    """1 where e^{x_1} + x_2² + 5 sin(x_3 x_4) − 3 > 0."""
    import numpy as np

    return (np.exp(X[:, 0]) + X[:, 1] ** 2 + 5 * np.sin(X[:, 2] * X[:, 3]) - 3 > 0).astype(np.int64)
