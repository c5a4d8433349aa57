"""Static 8-bit quantisation of an ONNX model's convolutions.

Weights are int8 with one scale per output channel, activations uint8 with one scale and zero point per tensor, from the least and
greatest values over calibration images. Weights use 7 of the 8 bits, because processors without VNNI saturate sums of larger
products. Quantise and dequantise nodes surround each convolution, and ONNX Runtime fuses them. All other operations stay in
float32. ONNX Runtime's dynamic quantisation has no fast convolution on CPUs.
"""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from fsclib.inference.export.card import INPUT

if TYPE_CHECKING:
    from onnx import ModelProto

BATCH = 8  # calibration images at a time: all activations of a batch are kept
PREPARED = {"onnx.quant.pre_process": "onnxruntime.quant"}  # else onnxruntime advises to simplify a model that is simple already


def int8(model: "ModelProto", pixels: np.ndarray) -> bytes:
    """The content of the quantised model's file. pixels: calibration images, uint8 (N, H, W, 3)."""
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Batches(CalibrationDataReader):
        def __init__(self) -> None:
            self.batches: Iterator[np.ndarray] = iter(np.split(pixels, range(BATCH, len(pixels), BATCH)))

        def get_next(self) -> dict[str, np.ndarray] | None:
            batch = next(self.batches, None)
            return None if batch is None else {INPUT: batch}

    onnx.helper.set_model_props(model, PREPARED)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "int8.onnx"
        quantize_static(
            model,
            file,
            Batches(),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            reduce_range=True,
        )
        return file.read_bytes()
