package publish_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/sluicehq/sluice/coord"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/snapshot"
	"github.com/sluicehq/sluice/snapshot/publish"
)

// history is what a store tells: the stable version of each profile.
type history struct {
	mu   sync.Mutex
	list map[string]profile.Stable
	data map[string]profile.Data // by hash
	err  error
}

func newHistory() *history {
	return &history{list: map[string]profile.Stable{}, data: map[string]profile.Data{}}
}

// completes makes data the stable version of a profile.
func (h *history) completes(name, version string, data profile.Data) {
	h.mu.Lock()
	defer h.mu.Unlock()
	hash := profile.Hash(data)
	h.data[hash] = data
	h.list[name] = profile.Stable{Profile: name, Service: "cart", Environment: profile.Staging, Version: version, Hash: hash}
}

func (h *history) retires(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	v := h.list[name]
	v.Retired = true
	h.list[name] = v
}

func (h *history) StableVersions(context.Context) ([]profile.Stable, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Collect(maps.Values(h.list)), h.err
}

func (h *history) Version(_ context.Context, name, number string) (profile.Version, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	v := h.list[name]
	if v.Version != number {
		return profile.Version{}, fmt.Errorf("%s has no version %s", name, number)
	}
	return profile.Version{Profile: name, Number: number, Hash: v.Hash, Data: h.data[v.Hash]}, nil
}

const bucket = "snapshots"

// store is an object store that speaks S3, over HTTP. Requests are signed, and it does not look.
func store(t *testing.T) (url string, requests func(method string) int) {
	t.Helper()
	fake := gofakes3.New(s3mem.New()).Server()
	var mu sync.Mutex
	seen := map[string]int{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		seen[r.Method]++
		mu.Unlock()
		if !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=reader/") && r.Method != http.MethodGet {
			http.Error(w, "who are you?", http.StatusForbidden)
			return
		}
		fake.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	req, err := http.NewRequest(http.MethodPut, srv.URL+"/"+bucket, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=reader/")
	res, err := http.DefaultClient.Do(req)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("make the bucket: %v, %v", res, err)
	}
	res.Body.Close()
	return srv.URL, func(method string) int {
		mu.Lock()
		defer mu.Unlock()
		return seen[method]
	}
}

func newS3(t *testing.T, url string) *publish.S3 {
	t.Helper()
	s3, err := publish.NewS3(publish.S3Options{Endpoint: url, Bucket: bucket, Prefix: "staging/", Region: "us-east-1", AccessKey: "reader", SecretKey: "secret-of-the-reader"})
	if err != nil {
		t.Fatal(err)
	}
	return s3
}

// eachPlace runs a test with a folder and with an object store.
func eachPlace(t *testing.T, test func(t *testing.T, place publish.Place)) {
	t.Helper()
	t.Run("directory", func(t *testing.T) {
		t.Parallel()
		test(t, publish.NewDirectory(filepath.Join(t.TempDir(), "made", "by", "it")))
	})
	t.Run("s3", func(t *testing.T) {
		t.Parallel()
		url, _ := store(t)
		test(t, newS3(t, url))
	})
}

var start = time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)

// shelf is a place, the one who writes to it, and what time it is there.
type shelf struct {
	t       *testing.T
	place   publish.Place
	history *history
	key     snapshot.PrivateKey
	now     time.Time
	writer  *publish.Writer
}

func newShelf(t *testing.T, place publish.Place) *shelf {
	t.Helper()
	key, err := snapshot.NewKey("k1")
	if err != nil {
		t.Fatal(err)
	}
	s := &shelf{t: t, place: place, history: newHistory(), key: key, now: start}
	s.restart()
	return s
}

// restart is another daemon's writer, which has seen nothing yet.
func (s *shelf) restart() {
	s.writer = publish.New(publish.Options{Name: "there", Place: s.place, Versions: s.history, Key: s.key, MaxAge: 9 * 24 * time.Hour,
		Interval: time.Minute, Logger: slog.New(slog.DiscardHandler), Now: func() time.Time { return s.now }})
}

// passes makes a pass and says what it is expected to do.
func (s *shelf) passes(why string, written, removed int) publish.Pass {
	s.t.Helper()
	p := s.writer.Pass(s.t.Context())
	if p.Err != nil || p.Written != written || p.Removed != removed || p.Failed != 0 {
		s.t.Errorf("%s: %+v, want %d written and %d removed", why, p, written, removed)
	}
	return p
}

// holds checks a profile's snapshot as an instance would.
func (s *shelf) holds(name, version string) {
	s.t.Helper()
	raw, err := s.place.Read(s.t.Context(), snapshot.FileName(name))
	if err != nil {
		s.t.Fatal(err)
	}
	got, err := snapshot.Verify(raw, snapshot.Rules{Profile: name, Keys: []snapshot.PublicKey{s.key.Public()}, Now: s.now, MaxAge: 9 * 24 * time.Hour})
	if err != nil || got.Version != version {
		s.t.Errorf("%s is %s: %v, want %s", name, got.Version, err, version)
	}
}

func (s *shelf) files() []string {
	s.t.Helper()
	files, err := s.place.Files(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return slices.Sorted(maps.Keys(files))
}

func TestThePlaceIsKeptAsItShouldBe(t *testing.T) {
	t.Parallel()
	eachPlace(t, func(t *testing.T, place publish.Place) {
		s := newShelf(t, place)
		s.passes("nothing is stable yet", 0, 0)
		s.history.completes("cart.staging", "1.0.0", profile.Data{"greeting": "<hello>"})
		s.history.completes("till.staging", "2.0.0", profile.Data{"drawer": true})
		if p := s.passes("two became stable", 2, 0); !p.Oldest.Equal(start) {
			t.Errorf("the oldest is of %s", p.Oldest)
		}
		s.holds("cart.staging", "1.0.0")
		s.holds("till.staging", "2.0.0")
		s.passes("nothing changed", 0, 0)

		s.now = start.Add(time.Hour)
		s.history.completes("cart.staging", "1.1.0", profile.Data{"greeting": "servus"})
		if p := s.passes("another version became stable", 1, 0); !p.Oldest.Equal(start) {
			t.Errorf("the oldest is of %s, not that of the till", p.Oldest)
		}
		s.holds("cart.staging", "1.1.0")

		s.restart()
		s.passes("another daemon finds all as it should be", 0, 0)
		s.now = start.Add(3*24*time.Hour + time.Minute)
		s.passes("a third of its age is over", 1, 0)
		s.holds("till.staging", "2.0.0")

		file := snapshot.FileName("cart.staging")
		if _, err := place.Write(t.Context(), file, []byte(`{"greeting": "I am your father"}`)); err != nil {
			t.Fatal(err)
		}
		s.passes("somebody changed a file", 1, 0)
		s.holds("cart.staging", "1.1.0")
		if err := place.Remove(t.Context(), file); err != nil {
			t.Fatal(err)
		}
		s.passes("somebody removed a file", 1, 0)
		s.holds("cart.staging", "1.1.0")

		s.history.retires("till.staging")
		s.passes("a profile is retired", 0, 1)
		s.passes("which is done once", 0, 0)
		if got := s.files(); !slices.Equal(got, []string{file}) {
			t.Errorf("there are %v", got)
		}
		if err := place.Remove(t.Context(), snapshot.FileName("till.staging")); err != nil {
			t.Errorf("what is gone cannot be removed: %v", err)
		}
	})
}

// Targets that change change the snapshot: an instance judges by them.
func TestWhoItIsForIsKeptToo(t *testing.T) {
	t.Parallel()
	s := newShelf(t, publish.NewDirectory(t.TempDir()))
	s.history.completes("cart.staging", "1.0.0", profile.Data{})
	s.passes("new", 1, 0)
	v := s.history.list["cart.staging"]
	v.Targets.Labels = map[string]string{"region": "eu"}
	s.history.list["cart.staging"] = v
	s.passes("for fewer", 1, 0)
	s.passes("as it should be", 0, 0)
}

func TestAnotherKeySignsEverythingAnew(t *testing.T) {
	t.Parallel()
	eachPlace(t, func(t *testing.T, place publish.Place) {
		s := newShelf(t, place)
		s.history.completes("cart.staging", "1.0.0", profile.Data{"greeting": "hello"})
		s.passes("new", 1, 0)
		key, err := snapshot.NewKey("k2")
		if err != nil {
			t.Fatal(err)
		}
		s.key = key
		s.restart()
		s.passes("another key", 1, 0)
		s.holds("cart.staging", "1.0.0")
	})
}

// A database that knows nothing, a new one or another installation's, takes nobody's
// snapshots away.
func TestStrangersAreLeftAlone(t *testing.T) {
	t.Parallel()
	eachPlace(t, func(t *testing.T, place publish.Place) {
		s := newShelf(t, place)
		s.history.completes("cart.staging", "1.0.0", profile.Data{"greeting": "hello"})
		s.passes("new", 1, 0)
		s.history = newHistory()
		s.restart()
		s.passes("an empty database", 0, 0)
		s.holds("cart.staging", "1.0.0")
	})
}

// One that cannot be written keeps no other from it, and a place that is down is not hammered.
func TestFailures(t *testing.T) {
	t.Parallel()
	s := newShelf(t, publish.NewDirectory(t.TempDir()))
	s.history.completes("cart.staging", "1.0.0", profile.Data{"greeting": "hello"})
	s.history.completes("bad.staging", "1.0.0", profile.Data{"password": map[string]any{"type": "secret", "value": "hunter2"}})
	p := s.writer.Pass(t.Context())
	if p.Written != 1 || p.Failed != 1 || p.Err == nil || !strings.Contains(p.Err.Error(), "bad.staging") || strings.Contains(p.Err.Error(), "hunter2") {
		t.Errorf("%+v", p)
	}
	s.holds("cart.staging", "1.0.0")

	url, requests := store(t)
	down := newShelf(t, newS3(t, url))
	for n := range 500 {
		down.history.completes(fmt.Sprintf("cart%d.staging", n), "1.0.0", profile.Data{"n": "hello"})
	}
	denied, err := publish.NewS3(publish.S3Options{Endpoint: url, Bucket: bucket, Region: "us-east-1", AccessKey: "nobody", SecretKey: "secret-of-nobody"})
	if err != nil {
		t.Fatal(err)
	}
	down.place = denied
	down.restart()
	p = down.writer.Pass(t.Context())
	if p.Err == nil || p.Written != 0 || strings.Contains(fmt.Sprint(p.Err), "secret-of-nobody") {
		t.Errorf("%+v", p)
	}
	if n := requests(http.MethodPut); n > 100 {
		t.Errorf("%d attempts at 500 files", n)
	}

	down.history.err = errors.New("the database is away")
	if p := down.writer.Pass(t.Context()); p.Err == nil {
		t.Error("nobody noticed")
	}
}

// A directory shows readers whole files only, which not everybody may read, and keeps no rubbish.
func TestDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := newShelf(t, publish.NewDirectory(dir))
	s.history.completes("cart.staging", "1.0.0", profile.Data{"greeting": "hello"})
	path := filepath.Join(dir, snapshot.FileName("cart.staging"))
	if err := os.Symlink("/dev/zero", path); err != nil {
		t.Fatal(err)
	}
	old := filepath.Join(dir, ".tmp-1")
	if err := os.WriteFile(old, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(old, time.Time{}, time.Now().Add(-2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	s.passes("a link is no snapshot", 1, 0)
	s.holds("cart.staging", "1.0.0")
	info, err := os.Lstat(path)
	if err != nil || info.Mode() != 0o640 {
		t.Errorf("the file is %v, %v", info.Mode(), err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("there are %v, %v", entries, err)
	}
}

// One daemon at a time writes; without the lock both do, and nothing is wrong.
func TestOneDaemonAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		memory := coord.NewMemory()
		unlock, err := memory.Lock(t.Context(), "snapshots/there", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		var seen []publish.Pass
		passes := func() []publish.Pass {
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			return slices.Clone(seen)
		}
		h := newHistory()
		h.err = errors.New("the database is away")
		key, err := snapshot.NewKey("k1")
		if err != nil {
			t.Fatal(err)
		}
		w := publish.New(publish.Options{Name: "there", Place: publish.NewDirectory(t.TempDir()), Versions: h, Key: key, MaxAge: time.Hour, Interval: time.Minute,
			Locker: memory, Logger: slog.New(slog.DiscardHandler), Report: func(p publish.Pass) {
				mu.Lock()
				defer mu.Unlock()
				seen = append(seen, p)
			}})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- w.Run(ctx) }()
		<-time.After(10 * time.Minute) // simulated
		if n := len(passes()); n != 0 {
			t.Errorf("%d passes were made in spite of the lock", n)
		}
		unlock()
		<-time.After(time.Hour)
		if n := len(passes()); n < 5 || n > 8 {
			t.Errorf("%d passes failed in an hour, want ever fewer: after 1, 2, 4, 8 and 15 minutes", n)
		}
		h.mu.Lock()
		h.err = nil
		h.mu.Unlock()
		h.completes("cart.staging", "1.0.0", profile.Data{"greeting": "hello"})
		<-time.After(16 * time.Minute)
		all := passes()
		if last := all[len(all)-1]; last.Err != nil {
			t.Errorf("the last pass: %+v", last)
		}
		n := len(all)
		<-time.After(10 * time.Minute)
		if got := len(passes()) - n; got < 9 || got > 11 {
			t.Errorf("%d passes in ten minutes", got)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// hung is a network drive whose server is gone: not even a cancelled context helps.
type hung struct {
	publish.Place
	asked, free chan struct{}
}

func (h hung) Files(context.Context) (map[string]string, error) {
	close(h.asked)
	<-h.free
	return nil, errors.New("gone")
}

func TestAHungPlaceKeepsNobodyFromStopping(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		key, err := snapshot.NewKey("k1")
		if err != nil {
			t.Fatal(err)
		}
		place := hung{asked: make(chan struct{}), free: make(chan struct{})}
		w := publish.New(publish.Options{Name: "there", Place: place, Versions: newHistory(), Key: key, MaxAge: time.Hour, Interval: time.Second, Logger: slog.New(slog.DiscardHandler)})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- w.Run(ctx) }()
		<-place.asked
		cancel()
		asked := time.Now()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if took := time.Since(asked); took > 3*time.Second {
			t.Errorf("it took %s to stop", took)
		}
		close(place.free)
		synctest.Wait()
	})
}
