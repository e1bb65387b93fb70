"""Whom the simulated Zoho believes: the authorities it was given, as their files are now."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sagezoho_pipelines.sandbox.certificates import make
from sagezoho_pipelines.sandbox.zoho_crm.internet import Internet
from sagezoho_pipelines_tests.tls import certificates


@pytest.mark.parametrize("text", [None, "no certificate"])
def test_a_file_without_a_certificate_is_refused_by_name(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "authority.pem"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ValueError, match=r"authority\.pem holds no certificate in PEM form"):
        _ = Internet([path]).tls


def test_an_authority_that_was_replaced_is_read_anew_and_the_same_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "authority.pem"
    shutil.copy(certificates().authority, path)
    first = Internet([path]).tls
    assert Internet([path]).tls is first
    before = {one["serialNumber"] for one in first.get_ca_certs()}
    shutil.copy(make(tmp_path / "others").authority, path)
    after = {one["serialNumber"] for one in Internet([path]).tls.get_ca_certs()}
    assert before != after
