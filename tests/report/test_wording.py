"""Numbers, witnesses and sentences as text."""

import math

import numpy as np
import pytest
from report_documents import array

from wnverify.finding import encode_array
from wnverify.report import wording


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.12345, "0.123"),
        (1.5e300, "1.5e300"),
        (2e-9, "2e-9"),
        (math.nan, "NaN"),
        (-math.inf, "−∞"),
        (True, "yes"),
        ([1.0, "a"], "1, a"),
        ({"a": 0.5}, "a: 0.5"),
        (None, "–"),
    ],
)
def test_short(value, text):
    """Three significant digits, named non-finite numbers, compact mappings and lists."""
    assert wording.short(value) == text


def test_an_upper_bound_is_never_rounded_down():
    """0.1234 is shown as 12.4 %, not as 12.3 %; an exact share stays."""
    assert (wording.percent(0.1234), wording.percent(0.123), wording.percent(1.0)) == ("12.4 %", "12.3 %", "100 %")


def test_a_witness_matrix_keeps_its_shape_and_odd_strides_are_said():
    """Rows are rows, leading axes are flattened, a transposed layout is named."""
    record = array(2, 3)
    assert [len(row) for row in wording.array_rows(record)] == [3, 3]
    assert wording.array_head(record) == "float64 2×3"
    assert wording.array_head({**record, "strides": [1, 2]}) == "float64 2×3, strides 1, 2"
    assert len(wording.array_rows({**record, "shape": [3, 1, 2]})) == 3
    assert wording.array_head({**record, "shape": [], "strides": []}) == "float64 scalar"


def test_a_large_witness_is_named_by_generator_seed_and_hash():
    """Above 256 entries there are no values; from 65 on they stay in results.json."""
    record = encode_array(np.zeros((20, 20)), seed=7, generator="zeros")
    assert "generator zeros, seed 7, SHA-256 " in wording.array_text(record)
    assert wording.array_text(array(10, 10)) == "values in results.json"


def test_a_witness_on_one_line_is_cut_at_a_word():
    """Names, heads and first entries, never longer than asked."""
    line = wording.witness_short({"V": array(4, 4), "eps": 0.1, "mode": "train"}, 90)
    assert line.startswith("V = float64 4×4 [-1.66667, 0.666667,")
    assert len(line) <= 90
    assert wording.witness_short(None) == ""
    assert wording.witness_short(array(1, 2)).startswith("float64 1×2 [")


def test_of_records_among_the_figures_only_their_number_is_said():
    """What fills a page with numbers is left to results.json; plain lists are shown, long ones cut."""
    assert wording.flat([{"digits": 7.0}, {"digits": 6.0}]) == "2 records in results.json"
    assert wording.flat([1.0, 2.0]) == "1, 2"
    assert wording.flat(list(range(10))) == "0, 1, 2, 3, 4, 5, 6, 7, … (10 values)"
    assert wording.flat("text") == "text"
