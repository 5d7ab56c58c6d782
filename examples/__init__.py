"""What the demo deploys (`rooms`) and who uses it meanwhile (`players`)."""
