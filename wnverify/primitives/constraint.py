"""The base of constraints: rows of a weight mapped after an optimiser's step, their gradient before it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from wnverify.primitives.distributed import placed_like
from wnverify.primitives.layout import check_layout, from_rows, to_rows
from wnverify.primitives.rules import check_gradient


class Block(NamedTuple):
    """One constrained weight: its ``name`` for messages, ``dim`` and ``groups`` as in ``to_rows``, and the layer's
    bias, which a constraint on all that comes in to a unit takes as a last column."""

    name: str
    weight: nn.Parameter
    bias: nn.Parameter | None = None
    dim: int = 0
    groups: int = 1


class RowConstraint:
    """W ← project(W) after every ``every``-th step of an optimiser, ∂L/∂W ← transform(W, ∂L/∂W) before every step.

    A leaf defines ``project``, a function of rows (n, d), and where its paper has one ``transform``.  ``with_bias``: a
    layer's bias counts as a last column of its rows.  ``ValueError`` unless ``every`` is a positive whole number.

    What the optimiser adds between the two (weight decay as a term of the gradient, momentum, Nesterov's look-ahead,
    Adam's scaling, decoupled decay) is neither transformed nor forbidden: the transform is of ∂L/∂W alone, and the
    weight is projected from wherever the whole step has led.
    """

    with_bias: ClassVar[bool] = False
    DECLARES: ClassVar[dict[str, Any]]
    DOMAIN: ClassVar[dict[str, Any]]

    def __init__(self, *, every: int = 1) -> None:
        if isinstance(every, bool) or not isinstance(every, int) or every < 1:
            raise ValueError(f"every must be a whole number of steps, at least 1; got {every!r}")
        self.every = every

    def project(self, W: Tensor) -> Tensor:
        """The rows (n, d) that take the place of W."""
        raise NotImplementedError(f"{type(self).__name__} has no projection")

    def transform(self, W: Tensor, G: Tensor) -> Tensor:
        """The gradient (n, d) that the optimiser sees in place of G = ∂L/∂W, of the shape and dtype of W."""
        check_gradient(W, G)
        return G

    @property
    def transforms(self) -> bool:
        """Whether the gradient is changed at all."""
        return type(self).transform is not RowConstraint.transform

    @property
    def projects(self) -> bool:
        """Whether the weight is changed at all."""
        return True

    @property
    def by_channel(self) -> bool:
        """Whether ``project`` and ``transform`` take every input channel's kernels as a matrix of their own,
        (channels, n, k) with k entries a kernel, in place of rows (n, d), d = channels · k."""
        return False

    def __call__(self, W: Tensor) -> Tensor:
        """``project`` of a weight (n, …), further axes flattened, in its own shape."""
        rows = to_rows(W, 0, 1)
        return from_rows(_mapped(self, self.project, W.shape, rows), W.shape, 0, 1)

    def attach(self, optimizer: Optimizer, blocks: Iterable[Block], *, at_once: bool = True) -> Attached:
        """Hang it on the hooks of ``optimizer`` for these blocks, and project them ``at_once``.

        Hooks are no part of an optimiser's ``state_dict`` nor of its copies: attach again after either.  ``ValueError``
        names a block whose parameters the optimiser does not hold, or says that there is none.
        """
        return Attached(self, optimizer, tuple(blocks), at_once=at_once)

    def __repr__(self) -> str:
        said = ", ".join(f"{name}={value!r}" for name, value in vars(self).items() if not name.isupper())
        return f"{type(self).__name__}({said})"


class Attached:
    """A constraint on the hooks of an optimiser; ``remove`` takes it off.

    The gradient is changed before the optimiser adds weight decay and momentum to it, the weight after the whole step,
    so that the constraint holds whatever the optimiser did.  With a closure the gradient is changed after each of its
    evaluations.  ``steps`` counts the steps made: set it when training is resumed and ``every`` is above 1.  A step
    that a gradient scaler skips runs no hook and counts for nothing.  Where a constraint refuses a weight or a
    gradient, the ``ValueError`` begins with the name of the block.
    """

    def __init__(
        self, constraint: RowConstraint, optimizer: Optimizer, blocks: tuple[Block, ...], *, at_once: bool
    ) -> None:
        held = {id(p) for group in optimizer.param_groups for p in group["params"]}
        if not blocks:
            raise ValueError(f"blocks must name at least one weight for {constraint!r}; got none")
        for block in blocks:
            check_layout(block.dim, block.groups)
            for kind, parameter in (("weight", block.weight), ("bias", block.bias)):
                used = parameter is not None and (kind == "weight" or constraint.with_bias)
                if used and id(parameter) not in held:
                    raise ValueError(f"optimizer must hold {block.name}.{kind}, which {constraint!r} constrains")
        self.constraint, self.blocks, self.steps = constraint, blocks, 0
        if at_once:
            self.project()
        self._hooks: list[Any] = [optimizer.register_step_post_hook(self._after)]
        if constraint.transforms:
            self._hooks.append(optimizer.register_step_pre_hook(self._before))

    @torch.no_grad()
    def project(self) -> None:
        """Project every block now."""
        if not self.constraint.projects:
            return
        for block in self.blocks:
            rows = self._rows(block, block.weight, block.bias)
            self._replace(block, self._asked(block, self.constraint.project, rows))

    def remove(self) -> None:
        """Take the hooks off; weights stay as they are."""
        for hook in self._hooks:
            hook.remove()
        self._hooks = []

    def _before(self, optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        # args begins with the optimiser itself, then may come the closure.
        closure = kwargs.get("closure", args[1] if len(args) > 1 else None)
        if closure is None:
            self._transform()
            return None

        def evaluate() -> Any:
            loss = closure()
            self._transform()
            return loss

        if "closure" in kwargs:
            return args, {**kwargs, "closure": evaluate}
        return (args[0], evaluate, *args[2:]), kwargs

    def _after(self, *_: Any) -> None:
        self.steps += 1
        if self.steps % self.constraint.every == 0:
            self.project()

    @torch.no_grad()
    def _transform(self) -> None:
        for block in self.blocks:
            gradient = block.weight.grad
            if gradient is None:
                continue
            of_bias = None if block.bias is None else block.bias.grad
            with_bias = self.constraint.with_bias and of_bias is not None
            W = self._rows(block, block.weight, block.bias if with_bias else None)
            G = self._rows(block, gradient, of_bias if with_bias else None)
            G = self._asked(block, self.constraint.transform, W, G)
            if with_bias and of_bias is not None:
                of_bias.copy_(placed_like(G[:, -1], of_bias))
                G = G[:, :-1]
            gradient.copy_(placed_like(from_rows(G, gradient.shape, block.dim, block.groups), gradient))

    def _asked(self, block: Block, function: Callable[..., Tensor], *rows: Tensor) -> Tensor:
        try:
            return _mapped(self.constraint, function, block.weight.shape, *rows)
        except ValueError as error:
            raise ValueError(f"{block.name}: {error}") from error

    def _rows(self, block: Block, weight: Tensor, bias: Tensor | None) -> Tensor:
        rows = to_rows(weight, block.dim, block.groups)
        if bias is None or not self.constraint.with_bias:
            return rows
        return torch.cat([rows, bias[:, None]], dim=1)

    def _replace(self, block: Block, rows: Tensor) -> None:
        if block.bias is not None and self.constraint.with_bias:
            block.bias.copy_(placed_like(rows[:, -1], block.bias))
            rows = rows[:, :-1]
        weight = from_rows(rows, block.weight.shape, block.dim, block.groups)
        block.weight.copy_(placed_like(weight, block.weight))


def _mapped(
    constraint: RowConstraint, function: Callable[..., Tensor], shape: tuple[int, ...], *rows: Tensor
) -> Tensor:
    """``function`` of rows (n, d) of a weight of that shape, or of (channels, n, k) where it goes by channel."""
    if not constraint.by_channel:
        return function(*rows)
    entries = math.prod(shape[2:])
    return function(*(R.reshape(len(R), -1, entries).transpose(0, 1) for R in rows)).transpose(0, 1).flatten(1)
