"""Weight decay: the penalty Σ w² (or half of it), and its decoupled form W ← (1 − η λ) W."""
