"""Tiles of web mercator by plain arithmetic, and where around positions to look for what is drawn of them."""

import math

from stubs import pb

LAT_MAX = math.degrees(math.atan(math.sinh(math.pi)))
# A symbol is drawn at most 64 px of its site's own cell and 48 px of the merge away, in tiles of 512 px: 0.28 of one.
REACH = 0.3
# Tiles of a box from west to east and from north to south, far below the 16,384 cells that a viewport may have.
BOX_TILES = 8


class Grid:
    """The tiles of a zoom."""

    def __init__(self, zoom):
        self.side = 1 << zoom

    def place(self, position):
        """Where a (latitude, longitude) is, in tiles from the north-western corner of the world."""
        lat, lng = max(-LAT_MAX, min(LAT_MAX, position[0])), position[1]
        x = (lng + 180.0) / 360.0 * self.side
        y = (0.5 - math.asinh(math.tan(math.radians(lat))) / (2 * math.pi)) * self.side
        return x, y

    def degrees(self, x, y):
        lat = math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * y / self.side))))
        return pb.LatLng(lat=lat, lng=(x / self.side * 360.0) % 360.0 - 180.0)

    def tiles_around(self, positions):
        """The tiles in which a symbol of sites at these positions can be drawn, each once, in order."""
        tiles = set()
        for x, y in map(self.place, positions):
            columns = {math.floor(x + step) % self.side for step in (-REACH, 0, REACH)}
            rows = {min(max(math.floor(y + step), 0), self.side - 1) for step in (-REACH, 0, REACH)}
            tiles |= {(column, row) for column in columns for row in rows}
        return sorted(tiles)

    def boxes_around(self, positions):
        """Boxes that hold all these tiles, of a zoom at which the world is wider than one box; they may overlap."""
        left, boxes = sorted(map(self.place, positions)), []
        while left:
            west, y = left[0][0] - 1, left[0][1]
            north, south = max(0.0, y - BOX_TILES / 2), min(float(self.side), y + BOX_TILES / 2)
            is_in = lambda x, y, west=west, north=north, south=south: (  # noqa: E731
                (x - west) % self.side <= BOX_TILES - 1
                and (y - north >= REACH or north == 0.0)
                and (south - y >= REACH or south == self.side)
            )
            assert is_in(*left[0])
            left = [place for place in left if not is_in(*place)]
            low, high = self.degrees(west, south), self.degrees(west + BOX_TILES, north)
            boxes.append(pb.BoundingBox(low=low, high=high))
        return boxes
