"""The settlement under a scheduler that decides who moves next: one seed is one history, and replays exactly."""
