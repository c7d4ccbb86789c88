"""DSWN with both measurements: columns of φ(V) scaled, then entries shrunk, or the other way round."""
