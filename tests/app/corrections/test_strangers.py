"""Third people are named in company that tells, and then hidden wherever they stand; what is no name stays a word."""

from __future__ import annotations

import pytest

from app.corrections.masks import Mask
from app.corrections.strangers import strangers_in
from graph.redaction.profile import KnownProfile


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("My wife Ilse Brandt paid, ask Ilse.", ("Ilse Brandt",)),
        ("I spoke with Dr. Okonkwo-Lee and with your agent Tomasz yesterday.", ("Okonkwo-Lee", "Tomasz")),
        ("The parcel was left with our neighbour, Mrs Adeyemi.", ("Adeyemi",)),
        ("Meine Frau Jutta hat bezahlt. Viele Grüße\nHorst", ("Horst", "Jutta")),
        ("Mi hija Lucía de la Fuente lo pidió a nombre de Pilar.", ("Lucía de la Fuente", "Pilar")),
        ("Mon mari Étienne a parlé avec Solène.", ("Étienne", "Solène")),
        ("Thanks,\nPlease refund order 1042.", ()),
        ("I talked to UPS and DHL on Monday. Ms [NAME_1] agrees.", ()),
        ("My friend says the Blue Kettle Deluxe is broken.", ()),
    ],
)
def test_names_are_known_by_their_company(text: str, names: tuple[str, ...]) -> None:
    assert strangers_in([text]) == names


def test_a_stranger_is_hidden_everywhere_and_is_not_the_customer() -> None:
    said = ["My wife Ilse Brandt paid.", "ILSE says: order 1042 never came. Frau Brandt is angry."]
    mask = Mask(KnownProfile(("Ana Ruiz",)), strangers=strangers_in(said))
    assert mask.hidden(f"{said[0]} {said[1]} Ana Ruiz") == (
        "My wife Jo Ashby paid. Jo Ashby says: order 1042 never came. Frau Jo Ashby is angry. Robin Vale"
    )
