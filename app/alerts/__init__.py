"""Alerts: figures that somebody should look at, raised once, kept while they hold, resolved when calm again."""
