package reconciler

import "slices"

// claims is what the files of one commit say they are. A broken file can still
// say its name, but only sound ones compete for it.
type claims struct {
	files map[string]string  // path -> name
	names map[string][]claim // name -> what claims it, mostly one file
}

// claim is one file that says it is a profile.
type claim struct {
	file  string
	sound bool
}

func newClaims(files int) claims {
	return claims{files: make(map[string]string, files), names: make(map[string][]claim, files)}
}

// set replaces what the file says; the empty name withdraws it.
func (c claims) set(file, name string, sound bool) {
	if old, ok := c.files[file]; ok {
		c.names[old] = slices.DeleteFunc(c.names[old], func(one claim) bool { return one.file == file })
		delete(c.files, file)
	}
	if name == "" {
		return
	}
	c.files[file] = name
	c.names[name] = append(c.names[name], claim{file, sound})
}

// of lists the files that say they are the profile, in order.
func (c claims) of(name string) []string {
	return c.which(name, func(claim) bool { return true })
}

// sound lists those of them that are sound, in order.
func (c claims) sound(name string) []string {
	return c.which(name, func(one claim) bool { return one.sound })
}

func (c claims) which(name string, wanted func(claim) bool) (files []string) {
	for _, one := range c.names[name] {
		if wanted(one) {
			files = append(files, one.file)
		}
	}
	slices.Sort(files)
	return files
}
