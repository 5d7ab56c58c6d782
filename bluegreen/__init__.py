"""The command beside Pulumi: what serves, what was deployed, and why the next `up` would do what.

It uses the deployment's own engine, and needs neither Pulumi's state nor its engine: what it knows comes from a stack's
file, from Fly, and from the state store. It changes nothing.
"""
