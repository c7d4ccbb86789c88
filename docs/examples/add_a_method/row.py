"""The row of the catalogue, to be put at the end of PARAMETRIZATIONS."""

from wnverify.methods.catalogue.row import Method

ROW = Method(
    id="root_mean_square",
    kind="parametrization",
    names=("rms",),
    title="Rows of root mean square 1",
    source="this page",
    formula="w_i = √d v_i / ‖v_i‖",
    constraint="‖w_i‖ = √d",
    holds="gradient rows orthogonal to rows of V; invariant to the scale of every row",
    undefined="at a zero row: ValueError",
    cost="O(n d)",
    implementation="wnverify.methods.root_mean_square.pytorch:RootMeanSquare",
)
