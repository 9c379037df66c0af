"""PDF in, one section per page out.

Promises: pages are cited by number, and reading needs no password. Refuses encrypted and broken files by name. Pictures
of text stay pictures: a page without text gives no section.
"""

from __future__ import annotations

from io import BytesIO

from pypdf import PdfReader
from pypdf.errors import PyPdfError

from kb.documents import Outline, ParsedDocument, storable
from kb.errors import DocumentError


def read_pdf(content: bytes, *, document_id: str, language: str) -> ParsedDocument:
    """Read one PDF; section ids are `<document>#page-3`.

    Raises:
        DocumentError: the file is encrypted or is not a readable PDF.
    """
    outline = Outline(document_id)
    try:
        reader = PdfReader(BytesIO(content))
        title = (reader.metadata.title if reader.metadata else None) or ""
        for number, page in enumerate(reader.pages, start=1):
            outline.heading(1, f"Page {number}", f"page-{number}")
            outline.body(storable(page.extract_text(), document_id))
    except (PyPdfError, ValueError, KeyError, TypeError, RecursionError) as error:
        # pypdf lets the parser's own errors through on damaged objects.
        raise DocumentError(
            f"{document_id!r} cannot be read as PDF: {error}; save it again without a password and retry"
        ) from error
    return ParsedDocument(
        document_id=document_id, title=" ".join(title.split()), language=language, sections=outline.sections()
    )
