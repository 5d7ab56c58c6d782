"""versitygw: a real S3 server with files on disk, which the tests run beside moto's.

Built from its published Go modules, which `go.mod` and `go.sum` here pin, and kept outside the checkout, under
`${XDG_CACHE_HOME:-~/.cache}/bluegreen-fly/versitygw/`; remove it whenever you like.
"""
