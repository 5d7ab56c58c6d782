"""Your own unit tests of a program that uses the component, with Pulumi's mocks: no engine, no Fly."""
