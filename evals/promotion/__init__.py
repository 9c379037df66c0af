"""How far up the ladder of autonomy evidence carries an intent, a segment, a language: computed, not declared."""
