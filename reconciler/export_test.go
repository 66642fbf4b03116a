package reconciler

// What the tests of comments look at by itself.
var (
	Code      = code
	Cell      = cell
	Block     = block
	Printable = printable
)

// InPartsOf has first syncs stored in parts of so many profiles.
func (r *Reconciler) InPartsOf(n int) { r.partSize = n }
