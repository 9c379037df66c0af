"""How a policy version comes to decide, and how it is taken back: gates, second persons, canaries, schedules."""
