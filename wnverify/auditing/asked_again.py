"""The questions of the checks once more, as plain lines for any Python with torch: V is a weight and f the map.

They share nothing with the checks: differences are central, norms are plain, nothing is scaled or certified.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Final

DECLARED: Final = "DECLARED"
"""Stands in the lines for the declared value."""


def _lines(text: str) -> str:
    return textwrap.dedent(text).strip("\n")


COTANGENT: Final = "A = torch.randn(f(V).shape, dtype=V.dtype, generator=torch.Generator().manual_seed(0))"
DERIVATIVE: Final = _lines("""
    def gradient(X):
        X = X.detach().clone().requires_grad_()
        return torch.autograd.grad((f(X) * A).sum(), X)[0]
    def differences(loss):
        h = 2.0**-18 * (float(V.abs().max()) or 1.0)
        sides = (h * torch.eye(V.numel(), dtype=V.dtype)).reshape(-1, *V.shape)
        return torch.stack([(loss(V + e) - loss(V - e)).detach() / (2 * h) for e in sides]).reshape(V.shape)
    right = differences(lambda X: (f(X) * A).sum())
""")
GRADIENT: Final = f"{COTANGENT}\n{DERIVATIVE}"
COMPARED: Final = (
    DERIVATIVE
    + "\n"
    + _lines("""
        print("written backward:", gradient(V), "by differences:", right, sep="\\n")
        print("largest difference:", float((gradient(V) - right).abs().max()))
    """)
)
IN_DTYPES: Final = _lines("""
    import copy
    def at(dtype):
        g = copy.deepcopy(f).to(dtype) if isinstance(f, torch.nn.Module) else f
        return g(V.to(dtype)).detach().double()
""")
PAIRS: Final = _lines("""
    torch.manual_seed(0)
    def pairs():
        for k in range(1200):
            x = (0.1, 1.0, 10.0)[k % 3] * torch.randn_like(V)
            yield x, x.norm() * 10.0 ** -(k % 4) * torch.randn_like(V)
""")
GRAM: Final = _lines("""
    W = f(V).flatten(1)
    print("W Wᵀ:", W @ W.T, "declared:", DECLARED, sep="\\n")
""")
PROX: Final = _lines("""
    step, prox = 0.5, getattr(f, "prox", None) or prox
    torch.manual_seed(0)
    for W in (V, 8 * V, V / 8):
        P = prox(W, step)
        cost = lambda X: float(step * f(X) + (X - W).square().sum() / 2)
        tried = [P + 10.0 ** -(k % 5) * torch.randn_like(P) for k in range(1000)]
        tried += [t * P for t in torch.linspace(0, 2, 401).tolist()]
        tried += [P + t * (W - P) for t in torch.linspace(-1, 1, 401).tolist()]
        print("cost of the proximal point", cost(P), "of another", min(map(cost, tried)))
""")
SEEN: Final = 'print("f(V):", f(V), "row norms", f(V).reshape(len(V) if f(V).dim() else 1, -1).norm(dim=1), sep="\\n")'
_BY_ROW: Final = "reshape(-1, *[1] * (V.dim() - 1))"
_MISS: Final = 'print("differs by", float(({}).norm()), "where 0 is right, beside", float(f(V).norm()))'
PROPERTIES: Final[Mapping[str, str]] = {
    "unit_norm_rows": 'print("row norms", f(V).flatten(1).norm(dim=1), "where 1 is right")',
    "constant_norm_rows": 'print("row norms", f(V).flatten(1).norm(dim=1), "declared:", DECLARED)',
    "zero_mean_rows": 'print("row sums", f(V).flatten(1).sum(1), "where 0 is right")',
    "l1_rows_le": 'print("absolute row sums", f(V).flatten(1).abs().sum(1), "declared: at most", DECLARED)',
    "orthonormal_rows": GRAM,
    "scaled_orthonormal_rows": GRAM,
    "structured_orthonormal": GRAM,
    "spectral_norm_le_1": _lines("""
        for s in (1 / 64, 1, 64):
            largest = float(torch.linalg.matrix_norm(f(s * V).flatten(1), 2))
            print("largest singular value", largest, "where 1 is allowed")
    """),
    "scale_invariant": "for a in (0.375, 2.0, 2.0**-12, 2.0**12, 2.0**20):\n    " + _MISS.format("f(a * V) - f(V)"),
    "row_scale_invariant": _lines(f"""
        for k in (1.0, 3.0):
            a = (1.5 * 2.0 ** (k * (torch.arange(len(V)) % 5 - 2))).{_BY_ROW}
            {_MISS.format("f(a * V) - f(V)")}
    """),
    "shift_invariant_rows": _lines(f"""
        c = torch.arange(1.0, len(V) + 1, dtype=V.dtype).{_BY_ROW}
        {_MISS.format("f(V + c) - f(V)")}
    """),
    "odd": _MISS.format("f(-V) + f(V)"),
    "idempotent": _MISS.format("f(f(V)) - f(V)"),
    "rotation_equivariant": _lines(f"""
        torch.manual_seed(0)
        Q = torch.linalg.qr(torch.randn(V[0].numel(), V[0].numel(), dtype=V.dtype)).Q
        turned = f((V.flatten(1) @ Q).reshape(V.shape))
        right = (f(V).flatten(1) @ Q).reshape(V.shape) if turned.dim() else f(V)
        {_MISS.format("turned - right")}
    """),
    "permutation_equivariant_rows": _lines(f"""
        order = torch.roll(torch.arange(len(V)).flip(0), 1)
        right = f(V)[order] if f(V).dim() else f(V)
        {_MISS.format("f(V[order]) - right")}
    """),
    "gradient_orthogonal_to_weight": GRADIENT
    + '\nprint("⟨∂L/∂V, V⟩ by rows", (gradient(V) * V).flatten(1).sum(1), "where 0 is right")',
    "gradient_zero_mean": GRADIENT + '\nprint("row sums of ∂L/∂V", gradient(V).flatten(1).sum(1), "where 0 is right")',
    "euclidean_projection": _lines("""
        for W in (V, 64 * V, V / 64):
            P = f(W)
            print("moved by", float((P - W).norm()), "; asked again by", float((f(P) - P).norm()))
            print("rows: sum", P.flatten(1).sum(1), "L1", P.flatten(1).abs().sum(1), "L2", P.flatten(1).norm(dim=1))
            print("entries from", float(P.min()), "to", float(P.max()))
    """),
    "nonexpansive": PAIRS
    + "\n"
    + _lines("""
        grown = max(float((f(x + e) - f(x)).norm() / e.norm()) for x, e in pairs())
        print("distances grow by", grown, "where 1 is allowed")
    """),
    "convex": PAIRS
    + "\n"
    + _lines("""
        above = max(float(f(x + e / 2) - (f(x) + f(x + e)) / 2) for x, e in pairs())
        print("above its chord by", above, "where 0 is allowed")
    """),
    "is_prox_of_penalty": PROX,
    "discovered": SEEN + '\nif hasattr(f, "prox") or "prox" in globals():\n' + textwrap.indent(PROX, "    "),
}
BACKWARD: Final = f"{COTANGENT}\n{COMPARED}"
OTHER_TENSORS: Final = (
    GRADIENT
    + "\n"
    + _lines("""
        others = [*getattr(globals().get("module", f), "parameters", list)(), *globals().get("kept", [])]
        start = [t.detach().clone() for t in others]
        for factor in (1.0, 1.3, -0.7):
            for t, s in zip(others, start):
                t.requires_grad_().data.copy_(factor * s)
            loss = lambda X: (f(X) * A).sum()
            X = V.clone().requires_grad_()
            found = torch.autograd.grad(loss(X), [X, *others], allow_unused=True)
            miss = float((found[0] - differences(loss)).norm())
            print("at", factor, "times their start the gradient of V misses by", miss)
            for t, g in zip(others, found[1:]):
                sides = []
                for e in (2.0**-18, -(2.0**-18)):
                    t.data += e
                    sides.append(float(loss(V).detach()))
                    t.data -= e
                right = (sides[0] - sides[1]) * 2.0**17
                total = None if g is None else float(g.sum())
                print("the gradient of a further tensor sums to", total, "where", right, "is right")
    """)
)
AT_EDGE: Final = _lines("""
    print("value:", f(V), sep="\\n")
    X = V.clone().requires_grad_()
    if f(X).requires_grad:
        print("gradient of the sum of squares:", torch.autograd.grad(f(X).square().sum(), X)[0], sep="\\n")
    if hasattr(f, "prox"):
        print("proximal point:", f.prox(V, 0.5), sep="\\n")
""")
GRADIENTS: Final[Mapping[str, str]] = {
    "parameters": OTHER_TENSORS,
    "settings": OTHER_TENSORS,
    "second_order": GRADIENT
    + "\n"
    + _lines("""
        H = torch.randn(V.shape, dtype=V.dtype, generator=torch.Generator().manual_seed(1))
        X = V.clone().requires_grad_()
        (first,) = torch.autograd.grad((f(X) * A).sum(), X, create_graph=True)
        twice = torch.autograd.grad((first * H).sum(), X, allow_unused=True)[0] if first.requires_grad else None
        right = differences(lambda Y: (gradient(Y) * H).sum())
        print("double backward:", twice, "by differences of the backward:", right, sep="\\n")
    """),
    "loss": GRADIENT
    + "\n"
    + _lines("""
        def pulled(cotangent):
            X = V.clone().requires_grad_()
            return torch.autograd.grad(f(X), X, cotangent)[0]
        for factor in (1.0, -3.0, 2.0**40, 2.0**-40):
            print("cotangent times", factor, "misses by", float((pulled(factor * A) / factor - right).norm()))
        last = (torch.arange(A.numel()) == A.numel() - 1).reshape(A.shape)
        print("in two parts misses by", float((pulled(A * last) + pulled(A * ~last) - right).norm()))
        print("laid out otherwise misses by", float((pulled(A.mT.contiguous().mT if A.dim() else A) - right).norm()))
        print("the zero cotangent gives", pulled(0 * A))
        given = A.clone()
        pulled(given)
        print("the cotangent was changed:", not torch.equal(given, A))
        X = V.clone().requires_grad_()
        W = f(X)
        both = [torch.autograd.grad(W, X, A.clone(), retain_graph=True)[0] for _ in range(2)]
        print("a second backward differs by", float((both[0] - both[1]).norm()))
    """),
    "float32": GRADIENT
    + "\n"
    + _lines("""
        import copy
        for dtype in (torch.float32, torch.bfloat16, torch.float16):
            g = copy.deepcopy(f).to(dtype) if isinstance(f, torch.nn.Module) else f
            X = V.to(dtype).requires_grad_()
            found = torch.autograd.grad((g(X) * A.to(dtype)).sum(), X)[0].double()
            print(dtype, "gradient:", found, "in float64:", gradient(X.double()), sep="\\n")
    """),
    "forward_mode": _lines("""
        T = torch.randn(V.shape, dtype=V.dtype, generator=torch.Generator().manual_seed(0))
        print("forward mode:", torch.func.jvp(f, (V,), (T,))[1], sep="\\n")
        print("by differences:", (f(V + 2.0**-18 * T) - f(V - 2.0**-18 * T)) * 2.0**17, sep="\\n")
    """),
    "invariance": GRADIENT
    + '\nprint("⟨∂L/∂V, V⟩ by rows", (gradient(V) * V).flatten(1).sum(1), "row sums", gradient(V).flatten(1).sum(1))',
    "singular": GRADIENT
    + "\n"
    + _lines("""
        torch.manual_seed(0)
        print("gradient:", gradient(V), "beside it:", sep="\\n")
        print(*(gradient(V + 1e-7 * torch.randn_like(V)) for _ in range(4)), sep="\\n")
    """),
}
OTHERS: Final[Mapping[str, str]] = {
    "precision.forward": IN_DTYPES
    + "\n"
    + _lines("""
        for dtype in (torch.float32, torch.bfloat16, torch.float16):
            print(dtype, at(dtype), "float64:", at(torch.float64), sep="\\n")
    """),
    "precision.float64": _lines("""
        for size in (1.0, 2.0**20, 2.0**-20):
            for h in (2.0**-34, 2.0**-30, 2.0**-26, 2.0**-22, 2.0**-14):
                X = size * V
                speed = float((f(X + h * X) - f(X)).norm()) / h / float(f(X).norm())
                print("at", size, "times V it moves by", speed, "for a step of", h)
    """),
    "contract.forward": SEEN,
    "contract.shape": 'print("a weight of shape", V.shape, "gives", f(V).shape)',
    "contract.dtype": _lines("""
        for dtype in (torch.float64, torch.float32, torch.bfloat16, torch.float16):
            try:
                print(dtype, "gives", f(V.to(dtype)).dtype)
            except Exception as error:
                print(dtype, "raises", error)
    """),
    "contract.input_unchanged": _lines("""
        given = V.clone()
        W = f(given)
        print("the input was changed:", not torch.equal(given, V))
        print("the output is the input's memory:", W.data_ptr() == given.data_ptr())
    """),
    "contract.deterministic": _lines("""
        state = torch.get_default_dtype(), torch.is_grad_enabled()
        for seed in (1, 1, 2):
            torch.manual_seed(seed)
            print("under seed", seed, f(V), "then", torch.rand(1), sep="\\n")
        print("default dtype and grad mode:", state, "then", torch.get_default_dtype(), torch.is_grad_enabled())
    """),
    "contract.history": _lines("""
        first, storage = f(V).detach().clone(), V.clone()
        f(storage)
        storage.data.copy_(2 * V.flip(0) + 1)
        print("other numbers in one storage:", f(storage), "and elsewhere:", f(storage.clone()), sep="\\n")
        print("the first weight again differs by", float((f(V) - first).norm()))
    """),
    "contract.train_eval": _lines("""
        for mode in (True, False, True):
            X = V.clone().requires_grad_()
            W = f.train(mode)(X)
            print("training" if mode else "evaluation", W, "has a graph:", W.requires_grad, sep="\\n")
    """),
    "contract.layout": _lines("""
        A = torch.randn(f(V).shape, dtype=V.dtype, generator=torch.Generator().manual_seed(0))
        for name, X in (("transposed", V.mT.contiguous().mT), ("one row expanded", V[:1].expand_as(V))):
            for Y in (X, X.contiguous()):
                Y = Y.detach().requires_grad_()
                W = f(Y)
                print(name, Y.stride(), "value:", W.detach(), sep="\\n")
                if W.requires_grad:
                    print("gradient:", torch.autograd.grad(W, Y, A)[0], sep="\\n")
    """),
    "contract.state": _lines("""
        import copy, pickle
        right = f(V).detach().clone()
        for name, copied in (("deepcopy", copy.deepcopy), ("pickle", lambda g: pickle.loads(pickle.dumps(g)))):
            try:
                print(name, "differs by", float((copied(f)(V) - right).norm()))
            except Exception as error:
                print(name, "raises", error)
        print("saved:", f.state_dict() if hasattr(f, "state_dict") else None)
    """),
    "execution.compile": _lines("""
        g = torch.compile(f, backend="aot_eager")
        for X in (V, 2 * V.flip(0) + 1):
            print("compiled:", g(X), "plainly:", f(X), sep="\\n")
    """),
    "execution.vmap": _lines("""
        S = torch.stack([V, 2 * V.flip(0) + 1, V + 1])
        print("mapped:", torch.func.vmap(f)(S), "one by one:", torch.stack([f(X) for X in S]), sep="\\n")
    """),
    "execution.autocast": _lines("""
        with torch.autocast("cpu", dtype=torch.bfloat16):
            W = f(V.float())
        print("under autocast:", W, "plainly:", f(V.float()), sep="\\n")
    """),
    "edge.empty": _lines("""
        for shape in ((0, 5), (4, 0)):
            try:
                print(shape, "gives", f(torch.zeros(shape, dtype=V.dtype)))
            except Exception as error:
                print(shape, "raises", error)
    """),
    "edge.scale": 'print("value:", f(V), "at an ordinary size:", f(V / V.abs().max()), sep="\\n")',
    "edge.large_mean": IN_DTYPES + '\nprint("float32:", at(torch.float32), "float64:", at(torch.float64), sep="\\n")',
    "edge.repeated_singular_values": BACKWARD,
}


def lines_of(check: str) -> str | None:
    """The lines for a check; None where a few lines do not show what it asks (cost, threads, layers, training)."""
    family, _, name = check.partition(".")
    if check == "gradient.mixed":
        return None
    if check in OTHERS:
        return OTHERS[check]
    if family == "property":
        return PROPERTIES.get(name, SEEN)
    if family == "gradient":
        return GRADIENTS.get(name, BACKWARD)
    return AT_EDGE if family == "edge" else None
