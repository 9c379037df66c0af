"""The span of one question to a model, as the semantic conventions for generative AI have it, without any text.

https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/#inference
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from opentelemetry.trace import SpanKind

from graph.models.use import ModelUse
from graph.tracing import spanning
from policies.vocabulary import ModelRole


@contextmanager
def asking(provider: str, model: str, role: ModelRole) -> Iterator[Callable[[ModelUse], None]]:
    """The span while a model is asked; it is told what the call used."""
    about = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": provider,
        "gen_ai.request.model": model,
        "countersign.role": role.value,
    }
    with spanning(f"chat {model}", SpanKind.CLIENT, **about) as span:

        def told(use: ModelUse) -> None:
            span.set_attribute("gen_ai.response.model", use.model)
            span.set_attribute("gen_ai.usage.input_tokens", use.input_tokens)
            span.set_attribute("gen_ai.usage.output_tokens", use.output_tokens)
            if use.request_id is not None:
                span.set_attribute("gen_ai.response.id", use.request_id)

        yield told
