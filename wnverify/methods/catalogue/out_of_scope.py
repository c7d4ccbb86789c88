"""What the papers only cite: named, with the reason why it is not here."""

from __future__ import annotations

from typing import Final

from wnverify.methods.catalogue.row import Method


def _only_cited(id: str, title: str, papers: str, source: str, reason: str) -> Method:
    return Method(id=id, kind="out of scope", title=title, papers=papers, source=source, reason=reason)


ACTIVATIONS: Final = "it acts on activations, not on weights, and no paper states or compares it in numbers"
STATISTICS: Final = "its statistics are learned from or filtered over batches; nothing of it constrains a weight"

OUT_OF_SCOPE: Final[tuple[Method, ...]] = (
    _only_cited("batch_renormalization", "Batch renormalization", "cwo", "Ioffe 2017", STATISTICS),
    _only_cited("switchable_normalization", "Switchable normalization", "cwo", "Luo et al. 2019", ACTIVATIONS),
    _only_cited("kalman_normalization", "Kalman normalization", "norm_loss", "Wang et al. 2018", STATISTICS),
    _only_cited("batch_instance_normalization", "Batch-instance normalization", "cwo", "Nam and Kim 2018", ACTIVATIONS),
    _only_cited(
        "local_response_normalization",
        "Local response normalization",
        "cwo",
        "Krizhevsky, Sutskever and Hinton 2012",
        ACTIVATIONS,
    ),
    _only_cited(
        "local_contrast_normalization", "Local contrast normalization", "cwo", "Jarrett et al. 2009", ACTIVATIONS
    ),
    _only_cited(
        "normalization_propagation",
        "Normalization propagation",
        "cwo",
        "Arpit, Zhou, Kota and Govindaraju 2016",
        "its weight part is weight normalization; the rest is a data-independent change of activation functions",
    ),
    _only_cited(
        "l0_regularization",
        "L0 regularization",
        "l1inf",
        "Louizos, Welling and Kingma 2018",
        "stochastic gates with parameters of their own: a distribution over weights, not a function of them",
    ),
    _only_cited(
        "variational_dropout",
        "Variational dropout",
        "l1inf",
        "Molchanov, Ashukha and Vetrov 2017",
        "a posterior over weights with a divergence as its penalty, not a function of the weights",
    ),
    _only_cited(
        "weight_sharing",
        "Soft weight sharing",
        "l1inf",
        "Nowlan and Hinton 1992",
        "a mixture of Gaussians fitted to the weights together with them",
    ),
    _only_cited(
        "pruning",
        "Pruning (optimal brain damage, by magnitude, by average zeros, by Taylor expansion)",
        "dswn, l1inf",
        "LeCun et al.; Hassibi et al.; Han et al.; Hu et al.; Molchanov et al.",
        "a procedure over a whole training run, not a map of weights",
    ),
    _only_cited(
        "parameter_count_penalty",
        "Penalty on the number of parameters",
        "l1inf",
        "Srinivas, Subramanya and Babu 2017",
        "binary gates with parameters of their own: a distribution over weights, not a function of them",
    ),
    _only_cited(
        "spectral_margin",
        "Singular values in a margin around 1",
        "dswn, norm_loss",
        "Vorontsov, Trabelsi, Kadoury and Pal 2017",
        "a factorization of square recurrent weights; the soft penalty that it compares with is soft_orthogonality",
    ),
)
