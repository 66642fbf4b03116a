package profile

// Limits caps what one load may cost. They hold before values are built, so that a hostile file costs no more than a large one.
type Limits struct {
	MaxBytes      int // bytes of one file, and of the effective data as canonical JSON
	MaxTotalBytes int // bytes of a profile and everything it extends
	MaxNodes      int // values in one file, aliases counted each time they are used
	MaxDepth      int // nesting of maps and lists
	MaxKeys       int // keys of one map
	MaxKeyBytes   int // bytes of one key
	MaxAliases    int // uses of aliases in one file
	MaxFiles      int // files that a profile may extend, directly and through others
	MaxProblems   int // problems reported for one load
}

// DefaultLimits returns the limits of the format as documented: 1 MiB, 50,000 values, 64 levels, 2,000 keys a map.
func DefaultLimits() Limits {
	return Limits{
		MaxBytes:      1 << 20,
		MaxTotalBytes: 4 << 20,
		MaxNodes:      50_000,
		MaxDepth:      64,
		MaxKeys:       2_000,
		MaxKeyBytes:   1_024,
		MaxAliases:    1_000,
		MaxFiles:      32,
		MaxProblems:   50,
	}
}

// withDefaults replaces each limit that is not set, so that a zero Limits is the documented one and never no limit.
func (l Limits) withDefaults() Limits {
	d := DefaultLimits()
	for _, p := range []struct{ have, want *int }{
		{&l.MaxBytes, &d.MaxBytes},
		{&l.MaxTotalBytes, &d.MaxTotalBytes},
		{&l.MaxNodes, &d.MaxNodes},
		{&l.MaxDepth, &d.MaxDepth},
		{&l.MaxKeys, &d.MaxKeys},
		{&l.MaxKeyBytes, &d.MaxKeyBytes},
		{&l.MaxAliases, &d.MaxAliases},
		{&l.MaxFiles, &d.MaxFiles},
		{&l.MaxProblems, &d.MaxProblems},
	} {
		if *p.have <= 0 {
			*p.have = *p.want
		}
	}
	return l
}
