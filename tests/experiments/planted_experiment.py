"""A small experiment made for the tests of trials and of their tables."""

from wnverify.experiments.experiment import Expectation, Experiment, Scale, Variant

SEEDS = 7


def made(**changes):
    """A planned experiment with two rows and one claim: B has the smaller error."""
    given = {
        "id": "cwn.planted",
        "paper": "cwn",
        "place": "Table 9",
        "title": "Planted",
        "settings": {"network": "cnn_digits", "epochs": 1, "batch": 32, "rate": 0.05},
        "variants": (
            Variant(name="A"),
            Variant(name="B = ∞", settings={"method": "weight_decay"}, printed={"err": "3.0"}),
        ),
        "scales": {
            "smoke": Scale(data="digits", seeds=2, samples=64),
            "paper": Scale(data="digits", seeds=SEEDS, samples=64, rows={"B = ∞": {"options": {"factor": 1e-3}}}),
        },
        "columns": {"err": "test.error"},
        "units": {"err": "%"},
        "expectations": (
            Expectation(id="less", statement="B errs less.", place="p", figure="test.error", less="B = ∞", more="A"),
        ),
    }
    return Experiment(**given | changes)
