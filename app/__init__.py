"""Who sees it: settings, composition root, database, worker, webhooks, pages, command line."""
