"""Programs that the deployer runs beside itself, none of which outlives it. Linux."""
