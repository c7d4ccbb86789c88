"""Training runs: settings as data, schedules, checkpoints, monitors, and the loop that ties them together."""
