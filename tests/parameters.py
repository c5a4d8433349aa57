"""What the parameters of each notebook become."""

from fsclib.ablation import AblationOptions
from fsclib.attention.subjects import AttentionOptions
from fsclib.config import Config
from fsclib.embedding import EmbeddingOptions
from fsclib.explorer import ExplorerOptions
from fsclib.frequency import SpectrumOptions
from fsclib.paper import PaperOptions
from fsclib.run_options import NamedRunOptions
from fsclib.search.study import GalleryOptions

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
