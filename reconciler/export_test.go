package reconciler

// What the tests of comments look at by itself.
var (
	Code      = code
	Cell      = cell
	Block     = block
	Printable = printable
)
