"""Fly on one machine: a Machines API with real processes, signals and health checks, and a routing proxy."""
