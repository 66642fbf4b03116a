package webhook

// Addresses is how many addresses the door remembers.
func (d *Door) Addresses() int { return len(d.failed.used) }

// MaxAddresses bounds them.
const MaxAddresses = maxAddresses
