"""Right variants that look wrong at a few weights: none is accused, and what bites in them is told as a hazard."""

from __future__ import annotations

import pytest
from audited import spec_of

from wnverify.auditing.work import whole_sheet
from wnverify.finding import Verdict

HAZARDS = {
    "RowsDropped": {"edge.scale"},
    "CentredSoftmax": {"property.zero_mean_rows", "lifecycle.training"},
    "SignByRoot": {"precision.forward", "gradient.float32", "edge.scale"},
    "CosinesLessRows": {"precision.forward", "edge.scale", "execution.autocast", "cost.work"},
    "LogBarrier": set(),
    "OntoSpectralBallBySubtraction": {
        *("property.spectral_norm_le_1", "property.euclidean_projection", "precision.float64", "edge.zero_matrix"),
        *("edge.nan_row", "execution.autocast", "cost.work", "lifecycle.steps", "gradient.singular"),
    },
}


@pytest.mark.filterwarnings("ignore:std:UserWarning")
@pytest.mark.parametrize("name", sorted(HAZARDS))
def test_a_right_variant_that_looks_wrong_is_not_accused(name):
    """No check fails, none ends in an error, and a hazard is one that its formula has."""
    found = {f.check: f.verdict for f in whole_sheet(spec_of(f"seldom.py:{name}"), seed=0, quick=False)}
    assert not {check for check, verdict in found.items() if verdict in (Verdict.FAIL, Verdict.ERROR)}
    assert {check for check, verdict in found.items() if verdict is Verdict.HAZARD} <= HAZARDS[name]
