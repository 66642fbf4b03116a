package report_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/report"
)

// Rollbacks that have no comment of their own are a table, however many and whatever their reasons say.
func TestOtherRollbacks(t *testing.T) {
	t.Parallel()
	first := []report.RolledBack{
		{Profile: "orders", Refused: "1.0.1", Pinned: "1.0.0", Reason: "errors 7 % | @all\n<b>", Page: "https://sluice.example.com/deployments/d1"},
		{Profile: "stock", Refused: "2.0.1", Pinned: "2.0.0", Reason: "slow", RevertURL: "https://forge.example.com/pull/8", Page: "https://sluice.example.com/deployments/d2"},
		{Profile: "users", Refused: "3.0.1", Pinned: "3.0.0", Reason: "slow", RevertURL: "https://forge.example.com/pull/8", Released: true},
	}
	got := report.Others{First: first, Total: 7, Author: "ann"}.Comment()
	want := `@ann **7 more profiles rolled back.**

Each is on hold until a commit brings other content, or what runs again.

| profile | refused | runs | why | |
|---|---|---|---|---|
| orders | 1.0.1 | 1.0.0 | errors 7 % \| &#64;all &lt;b&gt; | [report](https://sluice.example.com/deployments/d1) |
| stock | 2.0.1 | 2.0.0 | slow | [report](https://sluice.example.com/deployments/d2), [revert](https://forge.example.com/pull/8) |
| users | 3.0.1 | 3.0.0 | slow | the hold has ended |

and 4 more: ` + "`sluice get profiles`" + ` shows which are on hold.
`
	if got != want {
		t.Errorf("it reads\n%s\nwant\n%s", got, want)
	}
	for i := range first {
		first[i].Reason = strings.Repeat("@", 5000)
	}
	long := report.Others{First: slices.Repeat(first, 34)[:report.MaxOthers], Total: 5000}.Comment()
	if len(long) > 65_536 || strings.Count(long, "\n| ")+more(long) != 5001 { // the table has a head
		t.Errorf("it has %d bytes, and ends with %q", len(long), long[len(long)-200:])
	}
}

// more is how many a comment says it leaves out.
func more(comment string) (n int) {
	_, after, _ := strings.Cut(comment, "\nand ")
	fmt.Sscanf(after, "%d more", &n) //nolint:errcheck // none is 0
	return n
}
