from __future__ import annotations

import json
from datetime import date
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypdf import PdfReader, PdfWriter

from kb.documents import ParsedDocument, parts, sentences, slug
from kb.errors import DocumentError
from kb.markdown import read_markdown
from kb.pdf import read_pdf
from kb.sources import read_documents
from kb.webpage import read_html


def markdown(text: str) -> ParsedDocument:
    return read_markdown(text, document_id="refund-policy", language="en")


def ids(document: ParsedDocument) -> list[str]:
    return [section.section_id for section in document.sections]


def a_pdf(*pages: str) -> bytes:
    """A PDF as small as the format allows, one line of text on each page."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"", b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    kids = []
    for page in pages:
        stream = f"BT /F1 12 Tf 72 700 Td ({page}) Tj ET".encode() if page else b""
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R"
            b" /Resources << /Font << /F1 3 0 R >> >> >>" % len(objects)
        )
        kids.append(b"%d 0 R" % len(objects))
    objects[1] = b"<< /Type /Pages /Kids [%s] /Count %d >>" % (b" ".join(kids), len(kids))
    out, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    return out + b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (
        size,
        table,
        size,
        len(out),
    )


def test_explicit_ids_name_sections() -> None:
    document = markdown("# Refunds\n\n## 3 Trouble\n\n### 3.2 Duplicate charges {#3.2}\n\nThe later one.\n")
    assert ids(document) == ["refund-policy#3.2"]
    assert document.sections[0].heading_path == ("3 Trouble", "3.2 Duplicate charges")


def test_leading_numbers_name_sections_without_explicit_ids() -> None:
    assert ids(markdown("## 2.1 Window\nThirty days.\n## 2.2) Later\nNone.\n")) == [
        "refund-policy#2.1",
        "refund-policy#2.2",
    ]


def test_words_of_the_heading_name_the_other_sections_and_repeat_with_numbers() -> None:
    assert ids(markdown("## How long?\na\n## Größe\nb\n## How long?\nc\n")) == [
        "refund-policy#how-long",
        "refund-policy#größe",
        "refund-policy#how-long-2",
    ]


def test_text_before_the_first_heading_belongs_to_the_document() -> None:
    assert ids(markdown("# Refunds\n\nRead this first.\n\n## 1 Scope\nAll.\n")) == ["refund-policy", "refund-policy#1"]


def test_first_heading_of_level_one_is_the_title() -> None:
    assert markdown("# Refunds\n\n## 1 Scope\nAll.\n").title == "Refunds"


def test_text_is_the_source_byte_for_byte() -> None:
    body = "One  *two*\u2028three\r\n\r\n- `four`\r\n\tfive"
    document = markdown(f"## 1 A\r\n\r\n{body}\r\n\r\n\r\n## 2 B\r\nc")
    assert document.sections[0].text == body


def test_hash_sign_in_a_code_block_opens_no_section() -> None:
    document = markdown("## 1 A\n```\n# not a heading\n```\n> # nor this\n")
    assert ids(document) == ["refund-policy#1"]


def test_front_matter_overrides_what_the_path_says() -> None:
    matter = "id: returns\ntitle: Returns\nlanguage: de\neffective_from: 2026-02-01\nlabels: [vip]\nlayout: x"
    document = markdown(f"---\n{matter}\n---\nA.\n")
    assert (document.document_id, document.title, document.language) == ("returns", "Returns", "de")
    assert (document.effective_from, document.effective_to, document.labels) == (date(2026, 2, 1), None, ("vip",))
    assert ids(document) == ["returns"]


@pytest.mark.parametrize("matter", ["title: [", "effective_from: soon", "just words"])
def test_broken_front_matter_is_refused_by_name(matter: str) -> None:
    with pytest.raises(DocumentError, match="front matter of 'refund-policy'"):
        markdown(f"---\n{matter}\n---\nA.\n")


def test_same_explicit_id_twice_is_refused() -> None:
    with pytest.raises(DocumentError, match=r"two sections of 'refund-policy' have the id '3\.2'"):
        markdown("## A {#3.2}\na\n## B {#3.2}\nb\n")


def test_long_section_is_cut_between_paragraphs_and_keeps_its_id_first() -> None:
    paragraph = "A sentence of the policy. " * 40
    document = markdown(f"## 1 Long\n\n{paragraph}\n\n{paragraph}\n\n{paragraph}\n")
    assert ids(document) == ["refund-policy#1", "refund-policy#1~2"]
    assert document.sections[1].text == paragraph.strip()


@given(st.text(max_size=400), st.integers(1, 50))
def test_parts_are_slices_that_lose_nothing_but_space(text: str, longest: int) -> None:
    found = list(parts(text, longest))
    assert all(part in text and 0 < len(part) <= longest for part in found)
    assert "".join("".join(found).split()) == "".join(text.split())


@given(st.text(max_size=400))
def test_sentences_lose_nothing_but_space(text: str) -> None:
    assert "".join("".join(sentences(text)).split()) == "".join(text.split())


@given(st.text(max_size=300))
def test_any_markdown_and_any_html_can_be_read(text: str) -> None:
    for read in (read_markdown, read_html):
        try:
            document = read(text, document_id="x", language="en")
        except DocumentError:
            continue
        found = ids(document)
        assert len(found) == len(set(found))


def test_slug_keeps_letters_of_any_script() -> None:
    assert slug("  返品 & Größe_1 ") == "返品-größe-1"


def test_html_gives_visible_words_under_each_heading() -> None:
    page = """<!doctype html><html lang="de-AT"><head><title>Rückgabe</title><style>p{}</style></head><body>
      <nav>Start</nav><h1>Rückgabe</h1><p>Für <b>alle</b>.<script>alert(1)</script></p>
      <h2 id="h_01">Frist &amp; Form</h2><ul><li>30 Tage<li>unbenutzt</ul><table><tr><td>a<td>b</table></body></html>"""
    document = read_html(page, document_id="rueckgabe", language="en")
    assert (document.title, document.language) == ("Rückgabe", "de")
    assert [(section.section_id, section.text) for section in document.sections] == [
        ("rueckgabe", "Für alle."),
        ("rueckgabe#h_01", "30 Tage\nunbenutzt\na b"),
    ]


def test_pdf_gives_one_section_for_each_page_with_text() -> None:
    document = read_pdf(a_pdf("Refunds take 5 days.", "", "Bring the receipt."), document_id="terms", language="en")
    assert [(section.section_id, section.text) for section in document.sections] == [
        ("terms#page-1", "Refunds take 5 days."),
        ("terms#page-3", "Bring the receipt."),
    ]


def test_encrypted_and_broken_pdf_are_refused_by_name() -> None:
    writer, locked = PdfWriter(PdfReader(BytesIO(a_pdf("x")))), BytesIO()
    writer.encrypt("secret", algorithm="RC4-128")
    writer.write(locked)
    for content in (locked.getvalue(), b"not a pdf", b""):
        with pytest.raises(DocumentError, match="'terms' cannot be read as PDF"):
            read_pdf(content, document_id="terms", language="en")


def test_folder_gives_documents_by_their_paths(tmp_path: Path) -> None:
    (tmp_path / "billing").mkdir()
    (tmp_path / "billing" / "Refund Policy.md").write_text("Money back.")
    (tmp_path / "hours.txt").write_text("Nine to five.")
    (tmp_path / "terms.pdf").write_bytes(a_pdf("Terms."))
    (tmp_path / "about.html").write_text("<p>We sell lamps.")
    (tmp_path / "logo.png").write_bytes(b"\x89PNG")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "notes.md").write_text("hidden")
    assert [document.document_id for document in read_documents(tmp_path)] == [
        "about",
        "billing/refund-policy",
        "hours",
        "terms",
    ]


def test_lines_of_jsonl_are_documents_under_their_own_ids(tmp_path: Path) -> None:
    file = tmp_path / "passages.jsonl"
    lines = [{"id": "site.com#0", "title": "Privacy", "text": "We sell nothing."}, {"id": 7, "text": "b", "site": "x"}]
    file.write_text("\n".join(json.dumps(line) for line in lines) + "\n\n")
    documents = list(read_documents(file, language="fr"))
    assert [(ids(document), document.title, document.language) for document in documents] == [
        (["site.com#0"], "Privacy", "fr"),
        (["7"], "", "fr"),
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.md", b"caf\xe9", r"'a\.md' is not UTF-8 at byte 3"),
        ("a.txt", b"a\x00b", r"'a\.txt' contains a NUL"),
        ("a.jsonl", b'{"id": "1", "text": "a"}\n{', r"line 'a\.jsonl:2' is not JSON"),
        ("a.jsonl", b'{"id": "1"}', r"line 'a\.jsonl:1' has a wrong 'text'"),
        ("a.jsonl", b"[]", r"line 'a\.jsonl:1' has a wrong 'line'"),
        ("a.jsonl", b'{"id": "1", "text": "\\ud800"}', "lone surrogate"),
        ("a.jsonl", b'{"id": "1", "text": "a"}\n{"id": "1", "text": "b"}', "two documents"),
        ("a.docx", b"", "of an unknown kind"),
    ],
)
def test_unreadable_file_is_refused_by_name(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DocumentError, match=message):
        list(read_documents(tmp_path / name))


def test_missing_path_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="does not exist"):
        list(read_documents(tmp_path / "nowhere"))


def test_shipped_documents_have_the_sections_that_the_shipped_policy_cites() -> None:
    library = Path(__file__).parents[2] / "kb" / "library" / "demo-shop"
    found = {section_id for document in read_documents(library) for section_id in ids(document)}
    numbers = {
        "refund-policy": "1 2.1 2.2 2.3 3.1 3.2 3.3 3.4 4.1 4.2 5.1 6.1 6.2 7.1 7.2 8.1 8.2 8.3",
        "subscription-policy": "1 2.1 2.2 2.3 3.1 3.2",
        "shipping-policy": "1 2 3 4",
        "account-help": "1 2 3 4 5",
    }
    assert found == {f"{document}#{number}" for document, listed in numbers.items() for number in listed.split()}
