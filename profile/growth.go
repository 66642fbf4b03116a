package profile

import "fmt"

const (
	growthFactor  = 3
	growthMinimum = 1 << 10 // bytes; below it, threefold is a line or two
	shapeMinimum  = 4       // keys; below it, half is a key or two
)

// GrowthGuard reports whether a change is so large that a person should look first, and why: the data grew threefold
// and is over 1 KiB, or most of the old keys were removed or changed type.
func GrowthGuard(old, new Data) (reason string, tripped bool) {
	if len(old) == 0 {
		return "", false
	}
	// What stands for a secret has a size that says nothing of the data's.
	was, is := len(Canonical(Mask(old))), len(Canonical(Mask(new)))
	if is > growthMinimum && is >= growthFactor*was {
		return fmt.Sprintf("data grew from %d to %d bytes", was, is), true
	}
	before, after := shape("$", old, nil), shape("$", new, nil)
	changed := 0
	for path, kind := range before {
		if after[path] != kind {
			changed++
		}
	}
	if len(before) >= shapeMinimum && changed*2 > len(before) {
		return fmt.Sprintf("%d of %d keys were removed or changed type", changed, len(before)), true
	}
	return "", false
}

// shape lists the type of every key in the maps of d, not those inside lists.
func shape(path string, d map[string]any, into map[string]string) map[string]string {
	if into == nil {
		into = map[string]string{}
	}
	for k, v := range d {
		at := joinKey(path, k)
		into[at] = typeName(v)
		if m, ok := asMap(v); ok && !isSecret(v) {
			shape(at, m, into)
		}
	}
	return into
}
