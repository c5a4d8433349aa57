"""The three-dimensional place in front of one camera: the ground, upright walls in any direction, and objects between them.

Metres: x to the right, y up, z away from the camera; a person stands about DISTANCE away.
"""

from numpy.random import Generator
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from synthpeople.place import INDOOR, Place
from synthpeople.randomness import uniform
from synthpeople.scenery.texture import SHADOW, SPOT, Point, Surface, Tone

DISTANCE = 6.0
OVER = 2  # oversampling: the picture is drawn this many times larger, then reduced for smooth edges
FEET = 0.864  # row of a person's feet as a share of the picture's height


class Wall:
    """An upright plane over the ground from `start` to `end` (x, z), left to right; painted first, added to the view later."""

    def __init__(self, view: "View", start: Point, end: Point, high: float):
        self.start, self.end, self.high = start, end, high
        dx, dz = end[0] - start[0], end[1] - start[1]
        self.length = (dx * dx + dz * dz) ** 0.5
        self.way = dx / self.length, dz / self.length
        near = view.focal / max(0.75 * DISTANCE, min(start[1], end[1]))
        along = max(near * 0.25, (view.column(*end) - view.column(*start)) / self.length)
        size = max(2, round(self.length * along)), max(2, round(high * near * 0.65))
        scale = size[0] / self.length, size[1] / high
        self.surface = Surface(Image.new("RGBA", size), view.modality, (0, size[1]), scale, shine=self._shine(view))

    def at(self, x: float) -> Point:
        """The ground point (x, z) below the wall's coordinate x."""
        return self.start[0] + x * self.way[0], self.start[1] + x * self.way[1]

    def _shine(self, view: "View"):
        def shine(corners: list[Point], colour: Tone) -> None:
            view.lights.append(([view.project(self.at(x)[0], y, self.at(x)[1]) for x, y in corners], colour))

        return shine


class View:
    """A picture (height, width) of a place, drawn OVER times larger. Its ground is a surface whose y is the distance z."""

    def __init__(self, place: Place, modality: str, height: int, width: int, rng: Generator):
        self.place, self.modality = place, modality
        self.height, self.width = height * 5 // 4 * OVER, width * 4 * OVER
        self.indoor = place.kind in INDOOR
        size = 0.9 * height * OVER / 1.75  # pixels per metre where people walk
        self.focal = size * DISTANCE
        # the steeper the camera, the higher its mounting and its vanishing line
        self.eye = self.height * (0.34 - 0.033 * place.pitch + uniform(rng, -0.03, 0.03))
        self.middle = self.width * uniform(rng, 0.4, 0.6)
        self.up = (FEET * self.height - self.eye) / size
        row = self.height * (0.715 - 0.009 * place.pitch + uniform(rng, -0.04, 0.02))
        self.far = self.depth(row)  # distance of a wall across the picture
        self.lights: list[tuple[list[Point], Tone]] = []  # corners in the picture; the first `hung` are in walls
        self.pools: list[tuple[float, float, float, Tone]] = []  # x, z, reach and colour of light on the ground
        self.image = Image.new("RGB", (self.width, self.height))
        self.deep, near = self.far * 1.75, self.depth(self.height) * 0.97
        left, right = ((edge - self.middle) * self.deep / self.focal for edge in (0, self.width))
        scale = 0.7 * self.focal / DISTANCE, 0.7 * self.focal * self.up / DISTANCE**2
        sheet = Image.new("RGB", (round((right - left) * scale[0]), max(8, round((self.deep - near) * scale[1]))))
        self.ground = Surface(sheet, modality, (-left * scale[0], self.deep * scale[1]), scale)
        self.span = (left, near, right, self.deep)  # extent of the ground: left, near, right, far

    def depth(self, row: float) -> float:
        """The distance of the ground seen in a row."""
        return self.focal * self.up / (row - self.eye)

    def column(self, x: float, z: float) -> float:
        return self.middle + self.focal * x / z

    def project(self, x: float, y: float, z: float) -> Point:
        return self.column(x, z), self.eye + self.focal * (self.up - y) / z

    def gain(self, z: float) -> float:
        """Share of the camera's own light at a distance."""
        return min(1.0, 0.3 + 0.8 * (DISTANCE / z) ** 2)

    def edge(self, side: float, z: float) -> float:
        """The x seen at the left (0) … right (1) edge of the picture at a distance."""
        return (side * self.width - self.middle) * z / self.focal

    def afar(self, z: float) -> Surface:
        """A small surface for the far background, out of focus once enlarged; `show_afar` adds it to the picture."""
        scale, (x, y) = self.focal / z / 8, self.project(0, 0, z)
        image = Image.new("RGB", (self.width // 8 + 1, self.height // 8 + 1))
        return Surface(image, self.modality, (x / 8, y / 8), (scale, scale), self.gain(z))

    def show_afar(self, surface: Surface) -> None:
        image = surface.image.filter(ImageFilter.GaussianBlur(self.height / 1000))
        self.image.paste(image.resize(self.image.size, Image.Resampling.BICUBIC))

    def stand(self, x: float, z: float, wide: float = 0.3, shadow: float = 0.55) -> Surface:
        """An upright surface through (x, z) for an object of half width about `wide` metres, with its shadow."""

        def shine(corners: list[Point], colour: Tone) -> None:
            self.lights.append(([self.project(x + u, v, z) for u, v in corners], colour))

        scale = self.focal / z
        surface = Surface(self.image, self.modality, self.project(x, 0, z), (scale, scale), self.gain(z), shine)
        surface.soft(0.05, 0.0, wide * 1.7, 0.16 + wide * 0.16, SHADOW, shadow * (0.4 if self.modality == "thermal" else 1))
        return surface

    def lay(self, walls: list[Wall], gloss: float = 0.0) -> None:
        """Adds the painted ground and walls, the farther ones first, to the picture; a glossy floor reflects the walls."""
        for wall in walls:
            self._corner(wall)
        top = round(self.eye + self.focal * self.up / self.deep) + 1
        sheet = self.ground.image
        if self.modality == "infrared":
            depths = [self.gain(self.deep + (self.span[1] - self.deep) * (i + 0.5) / sheet.height) for i in range(sheet.height)]
            sheet = _dimmed(sheet, depths, upright=True)
        (ax, ay), (ox, oy), n = self.ground.scale, self.ground.origin, top - self.eye
        flat = self.focal * self.up
        coefficients = (
            ax * self.up / n, ox / n, (ox * n - ax * self.middle * self.up) / n,
            0, oy / n, (oy * n - ay * flat) / n,
            0, 1 / n,
        )  # fmt: skip
        size = self.width, self.height - top
        self.image.paste(sheet.transform(size, Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BILINEAR), (0, top))
        for wall in walls:
            if gloss:
                self._hang(wall, gloss * (0.4 if self.modality == "thermal" else 1))
        for wall in walls:
            self._hang(wall, 0)
        self.bare, self.hung = self.image.copy(), len(self.lights)

    def _corner(self, wall: Wall) -> None:
        """Darkens the line where a wall meets the ground."""
        strength = 0.2 if self.modality == "thermal" else 0.6
        wall.surface.fade((0, 0, wall.length, 0.35), SHADOW, strength * 0.5)
        small = [max(2, side // 8) for side in self.ground.image.size]
        mask, ratio = Image.new("L", small), [small[i] / self.ground.image.size[i] for i in (0, 1)]
        ends = [tuple(p * r for p, r in zip(self.ground.pixel(*end), ratio, strict=True)) for end in (wall.start, wall.end)]
        reach = 0.22 * self.ground.scale[0] * ratio[0]
        ImageDraw.Draw(mask).line(ends, fill=255, width=max(1, round(reach * 2)))
        mask = mask.filter(ImageFilter.GaussianBlur(reach * 0.7))
        left, near, right, far = self.span
        self.ground.overlay((left, near, right, far), SHADOW, mask, strength)

    def _hang(self, wall: Wall, gloss: float) -> None:
        """Draws the wall, or its faint reflection in the floor, as seen from the camera."""
        (ax, az), (dx, dz) = wall.start, wall.way
        left, right = max(0, round(self.column(*wall.start))), min(self.width, round(self.column(*wall.end)))
        if right <= left:
            return
        up, cross = self.up, dz * ax - dx * az
        if gloss:
            up, cross = -up, -cross
        (sx, sy), n = wall.surface.scale, (left - self.middle) * dz - self.focal * dx
        above = wall.high - up
        coefficients = (
            -sx * az / n, 0, sx * (self.focal * ax - az * (left - self.middle)) / n,
            sy * above * dz / n, sy * cross / n, sy * (above * n - cross * self.eye) / n,
            dz / n, 0,
        )  # fmt: skip
        sheet = wall.surface.image
        if self.modality == "infrared":
            depths = [self.gain(wall.at((i + 0.5) / sheet.width * wall.length)[1]) for i in range(sheet.width)]
            sheet = _dimmed(sheet, depths, upright=False)
        if gloss:  # floors reflect best at grazing angles, and uneven ones stretch the image
            sheet = sheet.copy()
            sheet.putalpha(Image.linear_gradient("L").resize(sheet.size))
            sheet = sheet.resize((max(2, sheet.width // 3), max(2, sheet.height // 24)), Image.Resampling.BOX).resize(sheet.size)
        seen = sheet.transform((right - left, self.height), Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BILINEAR)
        mask = seen.getchannel("A")
        self.image.paste(seen, (left, 0), mask.point([round(value * gloss) for value in range(256)]) if gloss else mask)

    def glow(self) -> Image.Image:
        """The light of lamps and lit windows, with a halo around them, RGB in the size of the finished picture."""
        size = self.width // OVER, self.height // OVER
        light = Image.new("RGB", size)
        if self.modality == "thermal" or not (self.indoor or self.place.night):
            return light
        pen = ImageDraw.Draw(light)
        for corners, colour in self.lights[: self.hung]:
            pen.polygon([(x / OVER, y / OVER) for x, y in corners], fill=colour)
        hidden = ImageChops.difference(self.bare, self.image).convert("L").reduce(OVER).point([0] + [255] * 255)
        light.paste(0, (0, 0), hidden)
        for x, z, reach, colour in self.pools:
            (left, top), (right, bottom) = self.project(x - reach, 0, z * 1.12), self.project(x + reach, 0, z / 1.12)
            corner = round(left / OVER), round(top / OVER)
            spot = SPOT.resize((max(1, round(right / OVER) - corner[0]), max(1, round(bottom / OVER) - corner[1])))
            light.paste(colour, (*corner, corner[0] + spot.width, corner[1] + spot.height), spot)
        # lit surfaces keep their own pattern; lamps are pure light
        light = ImageChops.multiply(
            light, self.image.reduce(OVER).point([min(255, 50 + value * 3 // 2) for value in range(256)] * 3)
        )
        pen = ImageDraw.Draw(light)
        for corners, colour in self.lights[self.hung :]:
            pen.polygon([(x / OVER, y / OVER) for x, y in corners], fill=colour)
        if self.modality == "infrared":  # the camera's filter blocks most of it
            light = light.convert("L").point([value // 4 for value in range(256)]).convert("RGB")
        for reach in (size[1] / 300, size[1] / 40, size[1] / 9):
            halo = light.filter(ImageFilter.GaussianBlur(reach))
            light = ImageChops.add(light, halo.point([value // 3 for value in range(256)] * 3)) if reach > size[1] / 100 else halo
        return light


def _dimmed(sheet: Image.Image, gains: list[float], upright: bool) -> Image.Image:
    """A sheet darkened by the share of light that reaches each of its rows (`upright`) or columns; its opacity is unchanged."""
    line = Image.new("L", (1, len(gains)) if upright else (len(gains), 1))
    line.putdata([min(255, round(255 * gain)) for gain in gains])
    light = line.resize(sheet.size)
    bands = [ImageChops.multiply(band, light) for band in sheet.split()[:3]]
    if sheet.mode == "RGBA":
        bands.append(sheet.getchannel("A"))
    return Image.merge(sheet.mode, bands)
