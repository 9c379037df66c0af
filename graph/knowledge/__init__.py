"""Knowledge that lives elsewhere, brought in: the Help Center, macros; and what is missing from it."""
