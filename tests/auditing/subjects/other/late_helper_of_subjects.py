def shift():
    return 1.0
