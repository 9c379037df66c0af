"""What the web process serves: webhooks, pages, the API."""
