"""Stripe, through the stripe SDK: charges, refunds, subscriptions, signatures."""
