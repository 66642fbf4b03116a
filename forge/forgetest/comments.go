package forgetest

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/sluicehq/sluice/forge"
	"github.com/sluicehq/sluice/internal/fakeforge"
)

// put writes one comment and returns all there are.
func (b *bench) put(t *testing.T, n int, key, body string) []fakeforge.Comment {
	t.Helper()
	if err := b.host.PutComment(t.Context(), n, key, body); err != nil {
		t.Fatal(err)
	}
	return b.f.Comments(n)
}

// comments: one of each key, changed in place, and not for nothing.
func comments(t *testing.T, k Kind) {
	b := k.setup(t, func(f *fakeforge.Options, _ *forge.GatewayOptions) { f.PageSize = 2 })
	n := b.open("feature")
	for range 5 {
		b.f.CommentAs(n, "bob", "I wonder.")
	}
	all := b.put(t, n, "check", "**fails**")
	if len(all) != 6 || !strings.Contains(all[5].Body, "**fails**") || all[5].Author != b.f.Me {
		t.Fatalf("written: %+v", all)
	}
	b.f.CommentAs(n, "bob", "Really?")
	all = b.put(t, n, "check", "**passes**")
	if len(all) != 7 || !strings.Contains(all[5].Body, "**passes**") || strings.Contains(all[5].Body, "fails") {
		t.Fatalf("changed: %+v", all)
	}
	if again := b.put(t, n, "check", "**passes**"); len(again) != 7 || again[5].Edits != all[5].Edits {
		t.Errorf("the same again: %+v", again)
	}
	if other := b.put(t, n, "rollback:7", "rolled back"); len(other) != 8 || !strings.Contains(other[5].Body, "**passes**") {
		t.Errorf("another key: %+v", other)
	}
	if err := b.host.PutComment(t.Context(), 99, "check", "x"); !errors.Is(err, forge.ErrNotFound) {
		t.Errorf("on no pull request: error %v, want ErrNotFound", err)
	}

	id := b.f.CommentAs(n, "carol", "/sluice check")
	c, err := b.host.Comment(t.Context(), n, id)
	if err != nil || c.ID != id || c.Author != "carol" || c.Body != "/sluice check" || c.URL == "" || c.UpdatedAt.IsZero() {
		t.Errorf("read: %+v, %v", c, err)
	}
	if _, err := b.host.Comment(t.Context(), b.open("other"), id); !errors.Is(err, forge.ErrNotFound) {
		t.Errorf("of another pull request: error %v, want ErrNotFound", err)
	}
	b.f.DeleteComment(n, id)
	if _, err := b.host.Comment(t.Context(), n, id); !errors.Is(err, forge.ErrNotFound) {
		t.Errorf("deleted: error %v, want ErrNotFound", err)
	}
}

// commentLost: the forge takes a comment and the answer is lost.
func commentLost(t *testing.T, k Kind) {
	b := k.setup(t)
	n := b.open("feature")
	b.f.Inject(fakeforge.Fault{Method: "POST", Cut: true})
	if err := b.host.PutComment(t.Context(), n, "check", "one"); err == nil || errors.Is(err, forge.ErrTerminal) {
		t.Fatalf("error %v, want one worth trying again", err)
	}
	if all := b.put(t, n, "check", "two"); len(all) != 1 || !strings.Contains(all[0].Body, "two") {
		t.Fatalf("comments: %+v", all)
	}
}

// commentsOfOthers: who pastes the marker does not get to speak for Sluice.
func commentsOfOthers(t *testing.T, k Kind) {
	b := k.setup(t)
	n := b.open("feature")
	mine := b.put(t, n, "check", "**fails**")[0]
	b.f.DeleteComment(n, mine.ID)
	stolen := strings.ReplaceAll(mine.Body, "fails", "passes")
	b.f.CommentAs(n, "mallory", stolen)
	b.put(t, n, "report", "It said: "+mine.Body) // and what Sluice quotes is not what it says
	all := b.put(t, n, "check", "**fails**")
	if len(all) != 3 || all[0].Body != stolen || all[0].Edits != 0 || all[1].Edits != 0 || all[2].Author != b.f.Me ||
		!strings.Contains(all[2].Body, "fails") {
		t.Fatalf("comments: %+v", all)
	}
}

// longComments: more than the forge takes is cut, and stays one comment.
func longComments(t *testing.T, k Kind) {
	b := k.setup(t)
	n := b.open("feature")
	long := "begin " + strings.Repeat("é", 2_000_000)
	for range 2 {
		all := b.put(t, n, "check", long)
		if len(all) != 1 || !strings.Contains(all[0].Body, "begin é") || utf8.RuneCountInString(all[0].Body) < 1000 {
			t.Fatalf("%d comments", len(all))
		}
	}
}
