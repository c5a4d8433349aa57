"""An embedder's arithmetic as one program, from the pixels of a batch of any size to unit vectors, in torch and in ONNX."""

import copy
import io
import warnings
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from fsclib.inference.export.card import INPUT, OUTPUT
from fsclib.inference.export.errors import ExportError
from fsclib.models.base import Network
from fsclib.retrieval.features import views_of

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET = 18  # of ONNX


class Vectors(nn.Module):
    """What Embedder.embed computes for one modality: uint8 (B, H, W, 3) → (B, D) float32 of unit length.

    Holds a copy of the network on the CPU, in evaluation mode, without the other modality's stem and the training's heads.
    """

    def __init__(self, net: Network, modality: str, mirror: bool):
        super().__init__()
        self.net = copy.deepcopy(net).cpu().eval().requires_grad_(False).to(memory_format=torch.contiguous_format)
        self.net.classifier = nn.Identity()  # type: ignore[assignment]
        self.net.register_module("attributes", None)
        other = self.net.stems["infrared" if modality == "visible" else "visible"]
        for name, part in list(self.net.named_children()):
            if part is other and part is not self.net.stems[modality]:
                setattr(self.net, name, nn.Identity())
        for part in self.net.modules():
            if hasattr(part, "matrix_products"):
                part.matrix_products = True  # type: ignore[assignment]  # to torch, attributes are tensors or modules
        self.modality, self.mirror = modality, mirror

    def forward(self, images: Tensor) -> Tensor:
        pool, neck = (parts.sum(0) for parts in views_of(self.net, images, self.modality, torch.float32, self.mirror))
        return F.normalize(torch.cat([pool, neck], 1), dim=1)


@torch.no_grad()
def torch_program(function: Vectors, height: int, width: int) -> ExportedProgram:
    """The function as a program of torch.export, for images of one size in batches of any size.

    Errors: ExportError for a network with an operation that torch.export cannot trace.
    """
    example = torch.zeros(2, height, width, 3, dtype=torch.uint8)
    function(example)  # fills caches of constants, which must not hold the fake tensors of the trace
    try:
        program = torch.export.export(function, (example,), dynamic_shapes=({0: Dim("batch")},))
    except Exception as error:  # torch.export raises many kinds
        network = type(function.net).__name__
        raise ExportError(f"{network} cannot be traced by torch.export; use operations for batches of any size: {error}") from error
    program.example_inputs = None  # would be pickled into the file
    for part in program.graph_module.modules():
        for node in part.graph.nodes:
            node.meta.pop("stack_trace", None)  # paths of this machine
    return program


def torch_file(program: ExportedProgram) -> bytes:
    """Content of a .pt2 file: a zip archive of JSON and the weights' bytes, without pickle.

    To read one, torch.export.load unpickles whatever a file says is pickled: open only files that you trust.
    """
    file = io.BytesIO()
    torch.export.save(program, file)
    return file.getvalue()


def onnx_model(program: ExportedProgram) -> "ModelProto":
    """The program in ONNX, checked.

    Errors: ExportError if the extra is not installed, or an operation has no counterpart in ONNX.
    """
    try:
        import onnx
        import onnxscript  # noqa: F401  # torch's exporter needs it
    except ImportError as error:
        raise ExportError(f"{error.name} is not installed, but exporting to ONNX needs it: pip install 'fsclib[export]'") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exported = torch.onnx.export(
                program, input_names=[INPUT], output_names=[OUTPUT], opset_version=OPSET, dynamo=True, verbose=False
            )
    except Exception as error:  # torch.onnx raises several kinds
        raise ExportError(f"the network cannot be exported to ONNX: {error}") from error
    assert exported is not None
    model = exported.model_proto
    _tidy(model)
    onnx.checker.check_model(model, full_check=True)
    return model


def _tidy(model: "ModelProto") -> None:
    """Names the batch and removes what only a debugger of the exporter would read, including paths of this machine."""
    graph = model.graph
    for value in (*graph.input, *graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    del graph.value_info[:]
    for part in (model, graph, *graph.input, *graph.output, *graph.initializer, *graph.node):
        del part.metadata_props[:]
