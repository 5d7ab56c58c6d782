"""A receiver of a deployment's messages (`notify`): how to check that one is ours, and what to do with it."""
