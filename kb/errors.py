"""Errors of the knowledge package.

KnowledgeError
├── DocumentError         a document that cannot be read or that contradicts itself; tell whoever wrote it
└── SectionNotFoundError  a citation of a section version that this tenant never had

Messages start in lower case, name the value and say what to do next.
"""


class KnowledgeError(Exception):
    """Root of this package's errors."""


class DocumentError(KnowledgeError):
    """A document that cannot be read, or whose sections contradict each other."""


class SectionNotFoundError(KnowledgeError):
    """A section version that this tenant never had."""
