"""What a subject may say of itself, as data: the known names of ``DECLARES`` and ``DOMAIN`` and their meaning.

An unknown name is an error that lists the known ones.  ``f`` is the subject's map V ↦ W, rows are output units with
further axes flattened, and a gradient property holds for every cotangent and every row.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from typing import Any, Final

from wnverify.auditing.target import PARAMETRIZATION, PENALTY
from wnverify.nearest import meant
from wnverify.oracles.optimality import certificate, set_names

PROPERTIES: Final[Mapping[str, str]] = {
    "unit_norm_rows": "every row of W has Euclidean norm 1",
    "constant_norm_rows": "every row of W has the declared norm (True: all rows have the same, unknown norm)",
    "zero_mean_rows": "every row of W sums to zero",
    "orthonormal_rows": "W Wᵀ = I",
    "scaled_orthonormal_rows": "W Wᵀ = λ I for the declared λ (True: some λ)",
    "structured_orthonormal": "W G² Wᵀ = I for the declared G",
    "spectral_norm_le_1": "the largest singular value of W is at most 1",
    "l1_rows_le": "the absolute values of every row of W sum to at most the declared radius",
    "scale_invariant": "f(aV) = f(V) for every a > 0",
    "row_scale_invariant": "f(diag(a) V) = f(V) for all a_i > 0",
    "shift_invariant_rows": "f(V + c 1ᵀ) = f(V) for every c",
    "odd": "f(−V) = −f(V)",
    "idempotent": "f(f(V)) = f(V)",
    "rotation_equivariant": "f(VQ) = f(V) Q for orthogonal Q",
    "permutation_equivariant_rows": "f(ΠV) = Π f(V) for every permutation Π of the rows",
    "gradient_orthogonal_to_weight": "each row of ∂L/∂V is orthogonal to that row of V",
    "gradient_zero_mean": "each row of ∂L/∂V sums to zero",
    "euclidean_projection": "f(V) is a nearest point to V in the declared SET",
    "nonexpansive": "‖f(V) − f(V')‖ ≤ ‖V − V'‖ in the Frobenius norm",
    "is_prox_of_penalty": "prox(W, step) is the proximal operator of the penalty",
    "convex": "the penalty is convex",
}
PENALTY_ONLY: Final = frozenset({"is_prox_of_penalty", "convex"})
OF_PENALTY: Final = PENALTY_ONLY | {
    "scale_invariant",
    "row_scale_invariant",
    "shift_invariant_rows",
    "odd",
    "rotation_equivariant",
    "permutation_equivariant_rows",
    "gradient_orthogonal_to_weight",
    "gradient_zero_mean",
}
"""What a penalty may have; equivariant means f(VQ) = f(V) and f(ΠV) = f(V) there."""
_FOR_PENALTIES: Final[Mapping[str, str]] = {
    "rotation_equivariant": "f(VQ) = f(V) for orthogonal Q",
    "permutation_equivariant_rows": "f(ΠV) = f(V) for every permutation Π of the rows",
}
WITH_VALUE: Final = frozenset({"constant_norm_rows", "scaled_orthonormal_rows", "structured_orthonormal", "l1_rows_le"})
DECLARED_ONLY: Final = frozenset({"structured_orthonormal", "l1_rows_le", "euclidean_projection"})
"""Properties that need more than a subject to be asked: they are judged when declared and never discovered."""
VALUE_NEEDED: Final = frozenset({"structured_orthonormal", "l1_rows_le"})

DOMAIN: Final[Mapping[str, str]] = {
    "full_rank": "V has full rank",
    "max_condition": "the condition number of V is at most this",
    "max_abs": "no entry of V is larger than this in absolute value",
    "min_row_norm": "every row of V has at least this norm",
    "min_cols": "V has at least this many columns",
    "matrices_only": "V has two axes; a kernel means something else there, a batch of matrices say",
    "rows_le_cols": "V has at most as many rows as columns",
    "rows_lt_cols": "V has fewer rows than columns",
    "rows_le_cols_for_orthonormal_rows": "orthonormal and unit rows are promised only for rows ≤ columns",
    "max_sigma_ratio": "the ratio of the extreme singular values of V is at most this",
    "finite_only_for_row_norm_lt": "finite only where every row norm is below this",
    "zero_row": "what happens at a zero row (a sentence)",
    "constant_row": "what happens at a constant row (a sentence)",
    "zero_matrix": "what happens at the zero matrix (a sentence)",
    "nonsmooth": "where the map has no derivative (a sentence)",
    "approximate": "property → error that it admits",
    "stateful_in_training": "the forward changes the module's state in training",
    "no_double_backward": "has no second derivative (True or the reason)",
    "no_vmap": "does not work under vmap (True or the reason)",
    "no_compile": "does not work under torch.compile (True or the reason)",
    "surrogate_gradient": "the backward is meant to differ from the derivative (True or a sentence)",
}

NUMERIC_DOMAIN: Final = frozenset(
    {"max_condition", "max_abs", "min_row_norm", "min_cols", "max_sigma_ratio", "finite_only_for_row_norm_lt"}
)


def properties_of(kind: str) -> tuple[str, ...]:
    """The names of the properties that a subject of this kind may have.

    >>> "convex" in properties_of("penalty"), "unit_norm_rows" in properties_of("penalty")
    (True, False)
    """
    return tuple(name for name in PROPERTIES if (name in OF_PENALTY if kind == PENALTY else name not in PENALTY_ONLY))


def statement_of(name: str, kind: str) -> str:
    """The meaning of a property for a subject of this kind.

    >>> statement_of("rotation_equivariant", "penalty")
    'f(VQ) = f(V) for orthogonal Q'
    """
    return _FOR_PENALTIES.get(name, PROPERTIES[name]) if kind == PENALTY else PROPERTIES[name]


def check_declared(
    declares: Mapping[str, Any], *, argument: str = "DECLARES", kind: str = PARAMETRIZATION
) -> dict[str, Any]:
    """The declared properties that are not False, each with a usable value; ``ValueError`` names what is wrong."""
    _check_names(declares, PROPERTIES, argument)
    kept: dict[str, Any] = {}
    for name, value in declares.items():
        if value is False:
            continue
        if name not in properties_of(kind):
            whose = "a weight W" if kind == PENALTY else "a penalty"
            raise ValueError(f"{argument}[{name!r}] belongs to {whose}, not to a {kind}")
        if value is not True and name not in WITH_VALUE:
            raise ValueError(f"{argument}[{name!r}] must be True or False; got {value!r}")
        if value is True and name in VALUE_NEEDED:
            raise ValueError(f"{argument}[{name!r}] must be the declared value ({PROPERTIES[name]}); got True")
        if name != "structured_orthonormal" and value is not True and not isinstance(value, numbers.Real):
            raise ValueError(f"{argument}[{name!r}] must be True or a number; got {value!r}")
        kept[name] = value
    return kept


def check_set(given: Any, declares: Mapping[str, Any]) -> dict[str, Any]:
    """The declared SET of a projection: its name and parameters; ``ValueError`` where it is missing or unknown."""
    if "euclidean_projection" not in declares:
        return {}
    if not isinstance(given, Mapping) or "name" not in given:
        raise ValueError(f"euclidean_projection needs SET = {{'name': …, parameters}}; got {given!r}")
    if given["name"] not in set_names():
        raise ValueError(f"SET['name'] must be one of {', '.join(set_names())}; got {given['name']!r}")
    parameters = {name: value for name, value in given.items() if name != "name"}
    try:
        certificate(given["name"], [[1.0, 0.5]], [[1.0, 0.5]], **parameters)
    except (TypeError, ValueError) as error:
        raise ValueError(f"SET of {given['name']}: {error}") from error
    return dict(given)


def check_domain(domain: Mapping[str, Any], *, argument: str = "DOMAIN") -> dict[str, Any]:
    """The stated domain, its names and numbers checked."""
    _check_names(domain, DOMAIN, argument)
    for name, value in domain.items():
        if name in NUMERIC_DOMAIN and not _is_finite(value):
            raise ValueError(f"{argument}[{name!r}] must be a finite number ({DOMAIN[name]}); got {value!r}")
        if name == "approximate":
            if not isinstance(value, Mapping):
                raise ValueError(f"{argument}['approximate'] must map a property to its error; got {value!r}")
            _check_names(value, PROPERTIES, f"{argument}['approximate']")
            for admitting, error in value.items():
                if not _is_finite(error) or error < 0:
                    where = f"{argument}['approximate'][{admitting!r}]"
                    raise ValueError(f"{where} must be the relative error that it admits, a number ≥ 0; got {error!r}")
    return {name: value for name, value in domain.items() if value is not False}


def _is_finite(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)


def _check_names(given: Any, known: Mapping[str, str], argument: str) -> None:
    if not isinstance(given, Mapping):
        raise ValueError(f"{argument} must be a mapping from names to values; got {type(given).__name__}")
    for name in given:
        if name not in known:
            near = meant(str(name), known, most=1)
            hint = f" ({near})" if near else ""
            raise ValueError(f"{argument} has the unknown name {name!r}{hint}; known are {', '.join(known)}")
