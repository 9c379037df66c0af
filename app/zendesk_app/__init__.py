"""The app inside Zendesk: what is packaged and installed there, and who and what its page may see."""
