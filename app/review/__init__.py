"""What a reviewer sees of a run and may do about it: one read model, and the acts. Panel, queue and API all use it."""
