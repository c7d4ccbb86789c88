def shift():
    return 0.0
