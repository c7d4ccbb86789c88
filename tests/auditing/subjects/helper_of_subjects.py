def scale(V):
    return 2.0 * V
