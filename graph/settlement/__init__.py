"""The only way anything outside changes: reserve, hold, send, classify, settle, reconcile."""
