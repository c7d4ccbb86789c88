"""The claims of the papers, one module (or package) a paper, each claim in an executable form."""
