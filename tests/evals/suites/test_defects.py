"""Every defect of the catalogue can still be planted: it names something of the product that is there."""

from __future__ import annotations

import pytest

from evals.defects.catalogue import DEFECTS, Defect
from evals.suites.files import SHIPPED_SUITES, read_suites
from policies.parse import parse_policy


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name)
def test_a_defect_changes_something_and_is_gone_afterwards(defect: Defect) -> None:
    one = read_suites([SHIPPED_SUITES / "golden" / "questions.yaml"])[0]
    edited = defect.policy_of(one).policy_text
    parse_policy(edited, name=defect.name)
    with defect.planted():
        pass
    assert (edited != one.policy_text) is (defect.edited is not None)
    assert all((SHIPPED_SUITES / f"{suite}.yaml").is_file() for suite in defect.near)
