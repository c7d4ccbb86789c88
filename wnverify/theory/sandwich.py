"""Deeper networks: the empirical Rademacher complexity between certified bounds, and the gap.

From below, networks that are in the class: a single path carries one ReLU unit of the first layer to the output
unchanged but for the factor c_2 ⋯ c_k, and a bias carries a constant, so that

    R̂_S ≥ (o/n) E max(max_j a_j |Σ ε_i|, a_k max_v |Σ_i ε_i max(v·x̃_i, 0)|),        ‖v‖_1 ≤ 1,

an exact number; whatever a search over the weights finds may raise it.  From above, ``bounds.sharper_on``, and for two
hidden layers and few samples the linear programs of ``two_hidden``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from numpy.typing import ArrayLike

from wnverify.theory.bounds import sharper_on
from wnverify.theory.network import Matrix, NetworkClass, checked_data
from wnverify.theory.rademacher import complexity
from wnverify.theory.two_hidden import MAX_SAMPLES, two_hidden

Search = Callable[[NetworkClass, Matrix], float]
"""A lower bound from weights that lie in the class, as ``batched.search`` gives one."""


@dataclasses.dataclass(frozen=True, slots=True)
class Sandwich:
    """lower ≤ R̂_S ≤ upper, and what gave each of the two."""

    lower: float
    upper: float
    below: str
    above: str

    @property
    def gap(self) -> float:
        """upper / lower, at least 1."""
        return self.upper / self.lower


def sandwich(network: NetworkClass, X: ArrayLike, search: Search | None = None) -> Sandwich:
    """Certified bounds on R̂_S of ReLU networks of any depth, for any widths d_1, …, d_k ≥ 1 from above.

    The lower bound needs one unit a layer; that of two hidden layers by ``two_hidden`` needs d_1 > n.  For k ≤ 1 the
    two bounds are the exact value and its rounding.  ``ValueError`` as ``rademacher.complexity`` has it.
    """
    data = checked_data(X)
    if network.k <= 1:
        one = complexity(network, data)
        return Sandwich(one.value - one.error, one.value + one.error, "exact", "exact")
    a = network.branches()
    # E max(A |Σ ε|, a_k g) is the complexity of one hidden layer with the constants o' = o A and c' = a_k / A.
    largest = max(a)
    path = complexity(NetworkClass(1, a[-1] / largest, network.o * largest), data)
    below = [(path.value - path.error, "single path")]
    above = [(sharper_on(network, data), "sharper bound")]
    if network.k == 2 and len(data) <= MAX_SAMPLES:
        both = two_hidden(network, data)
        below.append((both.lower, "linear programs"))
        above.append((both.upper, "linear programs"))
    if search is not None:
        below.append((search(network, data), "search"))
    lower, how = max(below)
    upper, why = min(above)
    return Sandwich(lower, upper, how, why)
