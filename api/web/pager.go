package web

// Pager is which part of a list is shown, and the links to the parts beside it.
type Pager struct {
	Total, Limit  int
	First, Last   int    // 1-based
	Before, After string // "" where there is nothing
}
