package fleet

import "bytes"

// quickly reads a histogram on the grid as MarshalJSON writes it, of which a
// check of the gate reads thousands. Of anything else ok is false, and who asks
// reads it as JSON.
func quickly(text []byte) (stored storedHistogram, ok bool) {
	rest, ok := bytes.CutPrefix(text, []byte(`{"grid":`))
	if !ok {
		return stored, false
	}
	from, rest, ok := digits(rest)
	if !ok {
		return stored, false
	}
	rest, ok = bytes.CutPrefix(rest, []byte(`,"counts":[`))
	if !ok {
		return stored, false
	}
	grid := int(from)
	stored.Grid, stored.Counts = &grid, make([]uint64, 0, bytes.Count(rest, []byte(","))+1)
	for {
		var n uint64
		if n, rest, ok = digits(rest); !ok || len(rest) == 0 {
			return stored, false
		}
		stored.Counts = append(stored.Counts, n)
		end := rest[0]
		if rest = rest[1:]; end != ',' {
			return stored, end == ']' && string(rest) == "}"
		}
	}
}

// mostDigits is how long a number may be that surely can be counted.
const mostDigits = 18

// digits reads a number that is whole and not negative.
func digits(text []byte) (n uint64, rest []byte, ok bool) {
	i := 0
	for i < len(text) && text[i] >= '0' && text[i] <= '9' {
		n = 10*n + uint64(text[i]-'0')
		i++
	}
	return n, text[i:], i > 0 && i <= mostDigits
}
