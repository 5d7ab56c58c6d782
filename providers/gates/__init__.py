"""Checks that must hold before a deployment goes on. Each is told apart by its evidence, and each fails closed."""
