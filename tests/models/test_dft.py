"""The Fourier transform by matrix products is rfft2."""

import copy

import pytest
import torch

from fsclib.models.dft import half_plane
from fsclib.models.fsc import FrequencySemanticAttention


@pytest.mark.parametrize(("height", "width"), [(24, 9), (12, 18), (5, 7), (1, 4), (3, 1)])
def test_matrix_products_give_the_spectrum_of_rfft2(height, width):
    maps = torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = torch.view_as_real(torch.fft.rfft2(maps, norm="ortho"))
    torch.testing.assert_close(half_plane(maps), expected, rtol=0, atol=1e-13)
    single = half_plane(maps.float())
    assert single.dtype == torch.float32
    assert (single - expected).abs().max() < 1e-6 * expected.abs().max()


def test_attention_with_matrix_products_gives_the_same_maps():
    torch.manual_seed(0)
    attention = FrequencySemanticAttention(32).eval()
    other = copy.deepcopy(attention)
    other.matrix_products = True
    features = torch.randn(2, 32, 12, 5)
    with torch.inference_mode():
        torch.testing.assert_close(other(features), attention(features), rtol=1e-6, atol=1e-6)
        assert not torch.equal(other.spectrum(features), attention.spectrum(features))  # the switch has an effect
