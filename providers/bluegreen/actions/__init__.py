"""What each step of the lifecycle does. ``table`` knows which function a step is; each other module holds some."""
