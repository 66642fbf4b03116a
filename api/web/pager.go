package web

// Pager is where a page of a list stands in it, and the links to its neighbours,
// "" for none.
type Pager struct {
	Total, Limit  int
	First, Last   int // 1-based; 0 of an empty page
	Before, After string
}
