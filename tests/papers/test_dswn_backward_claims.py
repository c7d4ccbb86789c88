"""The claims of DSWN, section 3.3 and the algorithms: every row decided as derived by hand, every fault caught."""

from fractions import Fraction

import pytest
from claim_cases import decided, decided_again, heavy_imports, record

from wnverify.papers import claims, ledger
from wnverify.papers.dswn import backward_chain as chain
from wnverify.papers.dswn import backward_truth as truth
from wnverify.papers.dswn.backward_methods import terms

VERDICTS = {
    "DSWN-EQ11-LAM": "holds-under",
    "DSWN-EQ11-D": "holds",
    "DSWN-EQ11-W": "holds",
    "DSWN-EQ12-SIG": "holds-under",
    "DSWN-EQ12-K": "holds-under",
    "DSWN-EQ12-REP": "holds",
    "DSWN-EQ12-SYM": "ambiguous",
    "DSWN-EQ12-C": "holds",
    "DSWN-EQ12-V": "refuted",
    "DSWN-BWD-OWN": "refuted",
    "DSWN-BWD-FIXG": "refuted",
    "DSWN-BWD-NM": "refuted",
    "DSWN-BWD-SM": "refuted",
    "DSWN-BWD-GFULL": "refuted",
    "DSWN-BWD-SIDE": "holds",
    "DSWN-BWD-N1": "holds",
    "DSWN-S33-STRUCT": "ambiguous",
    "DSWN-S33-GD": "holds-under",
    "DSWN-ALG1": "refuted",
    "DSWN-ALG2": "refuted",
}
CLAIMS = {claim_id: claims.get(claim_id) for claim_id in VERDICTS}
FAULTS = [(claim_id, fault) for claim_id, each in CLAIMS.items() for fault in each.faults]
NEEDED = {
    "DSWN-EQ11-LAM": ["only the diagonal is taken, as eq. 12 does"],
    "DSWN-EQ12-SIG": ["the eigenvalues of Σ are distinct"],
    "DSWN-EQ12-K": ["the eigenvalues of Σ are distinct"],
    "DSWN-S33-GD": [
        "V_C has rank n, so that eq. 6 is defined (see DSWN-FEAS)",
        "∂L/∂V is the gradient, line 3 of eq. 12 being mended",
    ],
}


@pytest.mark.parametrize("quick", [True, False], ids=["quick", "full"])
@pytest.mark.parametrize("claim_id", VERDICTS)
def test_verdict(claim_id, quick):
    """Each claim comes out as derived by hand, quick and full, at the place of the ledger, by two routes or more."""
    finding = decided(claim_id, quick)
    assert finding.verdict == VERDICTS[claim_id], finding.message
    assert finding.place == ledger.rows("DSWN")[claim_id]
    assert len({route.route for route in finding.routes}) >= 2


@pytest.mark.parametrize(("claim_id", "fault"), FAULTS)
def test_planted_fault_is_refuted(claim_id, fault):
    """A formula made wrong on purpose is refuted, with a witness, and no route contradicts another."""
    finding = CLAIMS[claim_id].decide(CLAIMS[claim_id].faults[fault], quick=True)
    assert finding.verdict == "refuted", finding.message
    assert finding.witness is not None


@pytest.mark.parametrize("claim_id", VERDICTS)
def test_the_routes_of_full_mode_see_faults_too(claim_id):
    """The routes that quick mode leaves out agree that the first two faults are faults."""
    for formula in list(CLAIMS[claim_id].faults.values())[:2]:
        assert CLAIMS[claim_id].decide(formula).verdict == "refuted"


@pytest.mark.parametrize("claim_id", VERDICTS)
def test_power_and_faults_are_there(claim_id):
    """Every measured route names its power, and every claim but the remark on structure has three faults."""
    finding = decided(claim_id)
    assert all(route.power is not None for route in finding.routes)
    assert len(CLAIMS[claim_id].faults) >= (2 if claim_id == "DSWN-S33-STRUCT" else 3)


@pytest.mark.parametrize("claim_id", [each for each, verdict in VERDICTS.items() if verdict == "refuted"])
def test_the_corrected_form_holds(claim_id):
    """What is offered in place of a refuted statement holds itself."""
    assert CLAIMS[claim_id].corrected
    assert CLAIMS[claim_id].decide(CLAIMS[claim_id].corrected_formula).verdict == "holds"


@pytest.mark.parametrize("claim_id", NEEDED)
def test_needed_conditions_are_named(claim_id):
    """holds-under says what is needed besides the text."""
    finding = decided(claim_id)
    needed = [text.removeprefix("needed besides: ") for text in finding.conditions if text.startswith("needed besides")]
    assert needed == NEEDED[claim_id]


def test_readings():
    """No reading of line 3 with one letter changed is right; s everywhere is; G enters, not its response to V."""
    readings = {each: [r["verdict"] for r in decided(each).readings] for each in VERDICTS}
    assert readings["DSWN-BWD-OWN"] == ["refuted"] * 3
    assert readings["DSWN-BWD-FIXG"] == ["refuted"] * 3
    assert readings["DSWN-BWD-NM"] == ["refuted"] * 4
    assert readings["DSWN-BWD-SM"] == ["refuted"] * 6
    assert readings["DSWN-BWD-GFULL"] == ["refuted"] * 2
    assert readings["DSWN-EQ12-SYM"] == ["refuted", "holds"]
    assert readings["DSWN-S33-STRUCT"] == ["holds", "refuted"]


def test_the_points_are_what_they_say():
    """φ has orthonormal rows of zero sum, P is the positive inverse root of Σ, D diagonalises Σ: exactly."""
    for p in chain.points():
        Sigma = p.V_C @ p.V_C.T
        assert (p.phi @ p.phi.T == p.eye).all()
        assert not (p.phi @ p.one).any()
        assert (p.P @ Sigma @ p.P == p.eye).all()
        assert (p.P == p.P.T).all()
        assert all(x > 0 for x in p.minus_half.diagonal())
        assert (p.D @ chain.diagonal(p.eigenvalues) @ p.D.T == Sigma).all()
        assert (p.V - p.V @ p.one @ p.one.T / p.d == p.V_C).all()


def test_where_the_wrong_line_looks_right():
    """For n = 1 line 3 to the letter is right; for n = 2 with D = Dᵀ its first term is; a rotation shows both slips."""
    one = chain.point("n = 1", (3,))
    symmetric_d, rotation = chain.point("reflection, D = Dᵀ", (2, 1)), chain.point("rotation", (1, 2))
    assert (chain.chain(one, chain.line_v) == truth.gradient(one)).all()
    assert (terms(symmetric_d, left="D") == truth.gradient(symmetric_d)).all()
    assert (terms(symmetric_d, left="D", inner="T") != truth.gradient(symmetric_d)).any()
    assert (terms(rotation, left="D") != truth.gradient(rotation)).any()
    assert (terms(rotation) == truth.gradient(rotation)).all()


def test_the_columns_of_d_may_be_turned():
    """The mended chain does not see the signs of D's columns; line 3 to the letter does."""
    p = chain.point("rotation", (1, 2))
    q = chain.from_parts("turned", "identity", p.V, p.V_C, p.D * [-1, 1], [Fraction(1), Fraction(2)], p.G_inv, p.A)
    assert (chain.chain(p, chain.mended_v) == chain.chain(q, chain.mended_v)).all()
    assert (chain.chain(p, chain.line_v) != chain.chain(q, chain.line_v)).any()


def test_two_runs_give_the_same_json():
    """Deciding again gives the same record, byte for byte."""
    assert [decided_again(each) for each in VERDICTS] == [record(decided(each)) for each in VERDICTS]


def test_the_modules_are_read_without_heavy_imports():
    """Registering the claims imports neither SymPy nor torch nor NumPy nor python-flint."""
    names = ("backward_algorithms", "backward_remarks", "backward_ties")
    assert heavy_imports(*(f"wnverify.papers.dswn.{name}" for name in names)) == []
