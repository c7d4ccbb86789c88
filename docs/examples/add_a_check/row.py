"""The row of the planted fault, to be put at the end of FAULTS."""

from wnverify.faults.row import wrong

ROW = wrong("parametrization.zeros", "NudgedFromZero", "edge.negative_zero", "hazard", note="pruned by a mask")
