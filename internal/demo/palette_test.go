package demo_test

import (
	"bytes"
	"cmp"
	"image"
	"image/color"
	"image/png"
	"slices"
	"testing"
)

// small makes a PNG a third of its size: up to 256 colours, and for each
// other one the nearest of them.
func small(t *testing.T, picture []byte) []byte {
	t.Helper()
	full, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		t.Fatal(err)
	}
	colours := palette(full)
	few := image.NewPaletted(full.Bounds(), colours)
	nearest := map[color.Color]uint8{}
	for y := full.Bounds().Min.Y; y < full.Bounds().Max.Y; y++ {
		for x := full.Bounds().Min.X; x < full.Bounds().Max.X; x++ {
			c := full.At(x, y)
			index, known := nearest[c]
			if !known {
				index = uint8(colours.Index(c))
				nearest[c] = index
			}
			few.SetColorIndex(x, y, index)
		}
	}
	var out bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&out, few); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// palette is up to 256 colours that stand for all, the same of the same picture.
func palette(full image.Image) color.Palette {
	seen := map[color.RGBA]int{}
	for y := full.Bounds().Min.Y; y < full.Bounds().Max.Y; y++ {
		for x := full.Bounds().Min.X; x < full.Bounds().Max.X; x++ {
			seen[color.RGBAModel.Convert(full.At(x, y)).(color.RGBA)]++
		}
	}
	order := make([]color.RGBA, 0, len(seen))
	for c := range seen {
		order = append(order, c)
	}
	slices.SortFunc(order, func(a, b color.RGBA) int {
		return cmp.Or(cmp.Compare(seen[b], seen[a]), cmp.Compare(a.R, b.R), cmp.Compare(a.G, b.G), cmp.Compare(a.B, b.B))
	})
	var chosen color.Palette
	for _, apart := range []int{48, 24, 12, 6, 3, 1} { // what is rare and unlike all others comes before shades
		chosen = choose(chosen, order, apart)
	}
	return chosen
}

// choose adds colours, in order, that are so far apart from all chosen ones.
func choose(chosen color.Palette, order []color.RGBA, apart int) color.Palette {
	far := func(a color.Color, b color.RGBA) bool {
		c := a.(color.RGBA)
		r, g, bl := int(c.R)-int(b.R), int(c.G)-int(b.G), int(c.B)-int(b.B)
		return r*r+g*g+bl*bl >= apart*apart
	}
	for _, c := range order {
		if len(chosen) == 256 {
			break
		}
		if !slices.ContainsFunc(chosen, func(other color.Color) bool { return !far(other, c) }) {
			chosen = append(chosen, c)
		}
	}
	return chosen
}
