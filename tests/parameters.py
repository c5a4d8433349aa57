"""The class that takes the parameters of each notebook."""

from fsclib.config import Config
from workbook.ablation import AblationOptions
from workbook.attention.subjects import AttentionOptions
from workbook.embedding import EmbeddingOptions
from workbook.explorer import ExplorerOptions
from workbook.gallery import GalleryOptions
from workbook.paper import PaperOptions
from workbook.run_options import NamedRunOptions
from workbook.spectrum import SpectrumOptions

OPTIONS = {
    "01_data": Config,
    "02_train": Config,
    "03_evaluate": NamedRunOptions,
    "04_spectrum": SpectrumOptions,
    "05_attention": AttentionOptions,
    "06_ablation": AblationOptions,
    "07_embedding": EmbeddingOptions,
    "09_paper": PaperOptions,
    "10_gallery": GalleryOptions,
    "explore": ExplorerOptions,
}
