package e2e_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/sluicehq/sluice/client"
	"github.com/sluicehq/sluice/internal/testenv"
)

// snapshots are those of one installation: the key that signs them, in its file.
type snapshots struct {
	t       *testing.T
	keyFile string
	public  string
}

// newSnapshots makes a key as people do.
func newSnapshots(t *testing.T) snapshots {
	t.Helper()
	s := snapshots{t: t, keyFile: filepath.Join(t.TempDir(), "snapshot.key")}
	out, err := exec.Command(testenv.Binary(t), "snapshot", "key", s.keyFile).Output()
	if err != nil {
		t.Fatal(err)
	}
	s.public = strings.TrimSpace(string(out))
	return s
}

// settings makes a daemon, before its start, keep snapshots at a place.
func (s snapshots) settings(d *daemon, place string) {
	s.t.Helper()
	yaml := fmt.Sprintf("allow_insecure_http: true\nsnapshots:\n  %s\n  signing_key_file: %s\n  interval: 1s\n", place, s.keyFile)
	if err := os.WriteFile(filepath.Join(filepath.Dir(d.log), "sluice.yaml"), []byte(yaml), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// objectStore is one that speaks S3, with a bucket that everybody may read.
func objectStore(t *testing.T) (url string) {
	t.Helper()
	srv := httptest.NewServer(gofakes3.New(s3mem.New()).Server())
	t.Cleanup(srv.Close)
	req, err := http.NewRequest(http.MethodPut, srv.URL+"/snapshots", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return srv.URL
}

// An instance whose disk is new starts while every daemon is dead, with the version that
// completed last and not with the canary that was under way; when the daemon is back, it
// follows it.
func TestStartsWhileEverythingIsAway(t *testing.T) {
	t.Parallel()
	t.Run("directory", func(t *testing.T) {
		t.Parallel()
		dir := filepath.Join(t.TempDir(), "snapshots")
		startsWhileEverythingIsAway(t, "directory: "+dir, dir)
		file := filepath.Join(dir, "cart.staging.snapshot.json")
		if info, err := os.Stat(file); err != nil || info.Mode() != 0o640 {
			t.Errorf("%v, %v", info, err)
		}
	})
	t.Run("s3", func(t *testing.T) {
		t.Parallel()
		url := objectStore(t)
		startsWhileEverythingIsAway(t, "s3: {endpoint: '"+url+"', bucket: snapshots, prefix: staging/, access_key: sluice, secret_key: canary-secret-key-of-the-store}", url+"/snapshots/staging/")
	})
}

func startsWhileEverythingIsAway(t *testing.T, place, from string) {
	t.Helper()
	name, _, _ := strings.Cut(place, ":")
	written := fmt.Sprintf("sluice_snapshots_total{outcome=%q,place=%q}", "written", name)
	complete := fmt.Sprintf("sluice_snapshots_complete_timestamp_seconds{place=%q}", name)
	snaps := newSnapshots(t)
	s := empty(t, testenv.Binary(t), func(s *stage) {
		snaps.settings(s.daemon, place)
		s.cart("servus")
	})
	first := newSidecar(t, s, "cart")
	first.start()
	first.loads("servus")
	eventually(t, "a snapshot", func() bool { return s.metric(written) >= 1 })
	s.repo.Write("cart/staging.yaml", strings.Replace(cartWith("bonjour"), "{type: Direct,", "{type: Canary, steps: [50, 100], autoPromote: false,", 1))
	s.repo.Commit("Greet in French, some day")
	s.repo.Push()
	first.loads("bonjour") // it is the canary
	passed := s.metric(complete)
	eventually(t, "another look at the snapshots", func() bool { return s.metric(complete) > passed+1 })
	if n := s.metric(written); n != 1 {
		t.Errorf("%v snapshots were written, want that of the version that completed", n)
	}

	s.kill()
	first.kill()
	fresh := newSidecar(t, s, "cart")
	fresh.args = append(fresh.args, "--profile", "cart.staging", "--bootstrap", from, "--bootstrap-key", snaps.public)
	fresh.start()
	fresh.loads("servus")
	if !strings.Contains(fresh.logs(), "STARTING FROM A BOOTSTRAP SNAPSHOT") {
		t.Error("the agent does not say what it runs")
	}

	s.cart("moin") // lands while nobody looks
	s.start()
	fresh.loads("moin")
	eventually(t, "the audit log to tell of the start", func() bool {
		page, err := s.api.Audit(t.Context(), client.AuditFilter{EventType: "instance.started_from_snapshot"})
		return err == nil && page.Total == 1 && page.Items[0].Details["version"] == "1.0.0"
	})
	if logs := s.logs() + fresh.logs(); strings.Contains(logs, "canary-secret-key") {
		t.Error("a log has the secret key")
	}
	s.stop()
}
