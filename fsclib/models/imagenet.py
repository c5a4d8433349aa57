"""The normalisation of images by the statistics of ImageNet, in RGB on a scale from 0 to 1."""

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
