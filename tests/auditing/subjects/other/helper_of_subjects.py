def scale(V):
    return -5.0 * V
