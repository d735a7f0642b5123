"""Fused likelihoods: log likelihood and gradient in one compiled pass over the rows, for the usual families."""
