"""The model gateway and the models behind it. A model proposes; nothing here decides."""
