"""How accurate the implementations are: against each other, against enclosures, and over condition numbers."""
