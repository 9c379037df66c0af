"""Checks of a reply before it leaves. Each has an id, one sentence that says what it keeps, and says no with a reason.

They read the text as the customer will, whoever wrote it: templates, a model or a person. What is not traceable to a
fact, a verdict or a section that was found is not said.
"""
