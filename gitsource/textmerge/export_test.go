package textmerge

// Overdrawn is how much more work was done than the budget allowed.
func (b *Budget) Overdrawn() int { return max(0, -b.left) }
