"""How often the checks of replies stop a good reply, and how often a bad one gets past them."""
