"""The double of Stripe: its API, its idempotency store, its refund states and its signed webhooks, in memory."""
