package rollout

// maxTold is of how many profiles of a commit a forge is told. Each takes a call of its own, of which
// GitHub lets one sender make 80 a minute and 500 an hour.
const maxTold = 100

// MarkMany marks the deployments of commits that change many profiles, which these decisions begin. When
// some of a commit's are stored before, all are.
func MarkMany(decisions []Decision, storedBefore bool) {
	of := map[string]int{}
	for i := range decisions {
		of[decisions[i].Next.Commit]++
	}
	for i := range decisions {
		d := &decisions[i].Next
		d.OfMany = storedBefore || of[d.Commit] > maxTold
	}
}
