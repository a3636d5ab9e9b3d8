"""The comparison itself must notice what is wrong."""

import numpy as np
import pytest

from ritm_edge.errors import ParityError
from ritm_edge.io_spec import IOSpec
from ritm_edge.verification.parity import FP32_TOLERANCE, compare, compare_masks, parity_cases

from ..runtimes import FakeRuntime


class Fake(FakeRuntime):
    """A runtime whose mask depends on image and previous mask, plus a fault."""

    def __init__(self, fault=lambda mask: mask):
        self.spec = IOSpec(40, 56, max_clicks=2)
        self.fault = fault

    def run(self, inputs):
        mask = inputs["image"][:, :1] / 255 * 0.8 + 0.2 * inputs["prev_mask"]
        return {"mask": self.fault(mask.astype(np.float32))}


def report(fault, reference=None):
    return compare(
        Fake(fault), reference or Fake(), parity_cases(IOSpec(40, 56, max_clicks=2)), FP32_TOLERANCE
    )


def test_equal_outputs_pass():
    result = report(lambda mask: mask)
    assert result.passed
    assert result.max_abs == 0
    result.require_passed()


def poke(value):
    def fault(mask):
        mask = mask.copy()
        mask[0, 0, 3, 5] += value
        return mask

    return fault


def test_one_wrong_pixel_fails_and_is_reported():
    result = report(poke(2e-4))
    assert not result.passed
    assert result.max_abs == pytest.approx(2e-4, rel=1e-2)
    with pytest.raises(ParityError, match=r"no click.*2\.0e-04, limit 1e-04"):
        result.require_passed()
    assert report(poke(5e-5)).passed


def test_the_report_for_machines_holds_every_case():
    result = report(poke(2e-4))
    values = result.as_dict()
    assert values["cases"] == len(result.cases) == len(values["case_results"])
    assert values["case_results"][0]["name"] == "no click"
    assert values["case_results"][0]["max_abs"] == pytest.approx(2e-4, rel=1e-2)
    assert values["tolerance"]["atol"] == FP32_TOLERANCE.atol


def test_nan_fails():
    assert not report(poke(np.nan)).passed


def test_a_constant_reference_proves_nothing():
    flat = Fake(lambda mask: np.full_like(mask, 0.3))
    result = report(lambda mask: np.full_like(mask, 0.3), reference=flat)
    assert result.max_abs == 0
    assert not result.passed
    with pytest.raises(ParityError, match="agreement means nothing"):
        result.require_passed()


def test_mask_iou():
    first = np.array([[0.1, 0.6, 0.6, 0.6]], np.float32)
    second = np.array([[0.1, 0.3, 0.6, 0.6]], np.float32)
    result = compare_masks("case", first, second)
    assert result.mask_iou == pytest.approx(2 / 3)
    assert compare_masks("empty", first * 0, first * 0).mask_iou == 1.0


def test_cases_cover_what_the_contract_names():
    spec = IOSpec(40, 56, max_clicks=3)
    cases = {case.name: case.inputs for case in parity_cases(spec, seed=1)}
    assert (cases["no click"]["clicks"] == -1).all()
    assert (cases["all slots full"]["clicks"][0, :, 0] >= 0).all()
    fractional = cases["mixed fractional"]["clicks"]
    assert (fractional != np.round(fractional)).any()
    assert cases["outside"]["clicks"].min() < -1
    assert np.ptp(cases["previous mask"]["prev_mask"]) > 0.5
    again = {case.name: case.inputs for case in parity_cases(spec, seed=2)}
    assert not np.array_equal(again["no click"]["image"], cases["no click"]["image"])
    assert all(case["clicks"].dtype == np.float32 for case in cases.values())
