"""How much a deployment adds to what nobody can avoid. Ratios, in virtual time: the same on every machine."""
