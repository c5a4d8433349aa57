"""Synthetic people in visible light and infrared, and corpora of them in the layouts of SYSU-MM01, RegDB and LLCM."""
