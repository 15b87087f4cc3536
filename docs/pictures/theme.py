"""The colors of light and dark pictures."""
from typing import NamedTuple


class Theme(NamedTuple):
    name: str
    background: str
    bar: str
    border: str
    text: str
    muted: str
    # How opaque dim text is.
    dim: float
    palette: list
    good: str
    bad: str


LIGHT = Theme(
    name="light",
    background="#ffffff",
    bar="#f0f2f5",
    border="#d0d7de",
    text="#24292f",
    muted="#59636e",
    dim=0.75,
    palette=["#24292f", "#cf222e", "#116329", "#7d4e00", "#0969da", "#8250df", "#1b7c83", "#6e7781"]
    + ["#57606a", "#a40e26", "#1a7f37", "#633c01", "#0550ae", "#6639ba", "#136061", "#57606a"],
    good="#1a7f37",
    bad="#cf222e",
)
DARK = Theme(
    name="dark",
    background="#181a1f",
    bar="#21252b",
    border="#3d444d",
    text="#dcdfe4",
    muted="#9da5b0",
    dim=0.65,
    palette=["#3f4451", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#dcdfe4"]
    + ["#8b929e", "#f07178", "#a9dc76", "#ffd580", "#82c4ff", "#dd99ff", "#76d6e2", "#ffffff"],
    good="#98c379",
    bad="#f07178",
)
THEMES = [LIGHT, DARK]
