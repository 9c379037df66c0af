"""Texts go to the model in batches of like length, and come back as if each had gone alone."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from graph.models.embedding import _BATCH, _PADDING, Embedder, _batches


@given(st.lists(st.integers(0, 3_000), max_size=120))
def test_every_text_is_in_one_batch_and_padding_stays_cheaper_than_a_call(lengths: list[int]) -> None:
    batches = list(_batches(lengths))
    assert sorted(place for batch in batches for place in batch) == list(range(len(lengths)))
    for batch in batches:
        longest = max(lengths[place] for place in batch)
        assert sum(longest - lengths[place] for place in batch) <= _PADDING
        assert len(batch) <= _BATCH


def test_a_text_has_the_same_vector_alone_and_among_others(embedder: Embedder) -> None:
    texts = ["Where is it?", "The mirror came broken. " * 40, "", "Please refund order 1042.", "Where is it?"]
    together = Embedder(embedder.model, cache_size=0).embed(texts)
    alone = np.concatenate([Embedder(embedder.model, cache_size=0).embed([text]) for text in texts])
    assert np.abs(together - alone).max() < 1e-5
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
