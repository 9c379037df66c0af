"""The demo: a made-up shop's tickets, sent as signed webhooks to a real installation beside a sandbox."""
