package report_test

import (
	"strings"
	"testing"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/report"
)

func TestWhatAPullRequestIsToldOfARollback(t *testing.T) {
	t.Parallel()
	p := report.PullRequest{
		Report: report.Build(rollback(t)), Profile: "payment-service.production", Refused: "1.4.1", Pinned: "1.4.0",
		Author: "ann", Page: "https://sluice.example.com/deployments/1", RevertURL: "https://forge.example.com/pulls/8",
	}
	golden(t, "pull_request.md", p.Comment())

	p.Report.Deployment.Status = "RollingBack"
	if got := p.Comment(); !strings.Contains(got, "is being rolled back to 1.4.0") {
		t.Errorf("of one that is under way it says\n%s", got[:200])
	}
	p.Released, p.Author = true, ""
	if got := p.Comment(); !strings.Contains(got, "has ended since") || strings.HasPrefix(got, "@") {
		t.Errorf("of one whose hold is over, by nobody, it says\n%s", got[:200])
	}
}

func TestAPullRequestsCommentIsBounded(t *testing.T) {
	t.Parallel()
	p := report.PullRequest{Report: report.Build(rollback(t)), Profile: "a", Refused: "2.0.0", Pinned: "1.0.0"}
	for range 4000 {
		p.Report.TimeLine = append(p.Report.TimeLine, wire.Moment{What: "@all näher [x](http://x) <b>", By: "</details>"})
	}
	got := p.Comment()
	if len(got) > 60_000 || !strings.HasSuffix(got, "</details>\n") || strings.Count(got, "</details>") != 1 || !strings.Contains(got, "the rest is on") {
		t.Errorf("%d bytes, ends with %q", len(got), got[len(got)-60:])
	}
	if strings.Contains(got, "@") || strings.Contains(got, "<b>") {
		t.Error("text from outside became markup or a mention")
	}
}
