package e2e_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/client"
	"github.com/sluicehq/sluice/internal/testenv"
)

// The disk of the database fills up in the middle of a canary. Nothing is
// promoted, whoever asks; instances keep what they run; what can be read is
// read; and it goes on by itself when there is room again.
func TestClusterDatabaseDiskIsFull(t *testing.T) {
	t.Parallel()
	var c *cluster
	var fill, free func()
	if disk := testenv.NewDisk(t, 200); disk != nil {
		c = newClusterOn(t, testenv.Binary(t), 2, testenv.NewPostgresOn(t, disk))
		fill, free = func() { disk.Fill(t) }, func() { disk.Free(t) }
	} else {
		c = newCluster(t, testenv.Binary(t), 2)
		fill, free = c.claimFull, c.claimRoom
	}
	c.first = c.commit("Open the shop", shopWith(automatic, "greeting: hello"))
	c.startAll()
	c.open()
	one := c.change(byHand, "servus")
	d := c.awaitsPromotion(one, 1)
	fill()
	c.writesNothing(d)
	eventually(t, "a replica to tell", func() bool {
		told := 0
		for _, r := range c.replicas {
			if strings.Contains(r.get("/readyz"), `"database":"takes no writes`) && r.metric("sluice_database_refused_writes_total") > 0 {
				told++
			}
		}
		return told > 0
	})
	c.inUse(2) // a daemon that can only read is still of use
	last := c.change(automatic, "moin")
	c.writesNothing(d)
	free()
	end := c.concludes(last, "Completed")
	c.everywhere(end.ConfigVersion)
	c.holds()
}

// The same with the embedded database.
func TestDiskIsFull(t *testing.T) {
	t.Parallel()
	disk := testenv.NewDisk(t, 64)
	if disk == nil {
		t.Fatal("this needs a small disk to be mounted: run it as root, or in a container")
	}
	s := &stage{t: t, scene: newScene(t)}
	s.daemon = newDaemon(t, testenv.Binary(t), append(s.sourceArgs(), "--database-url", disk.Dir+"/sluice.db")...)
	s.database = disk.Dir + "/sluice.db"
	s.first = s.commit("Open the shop", shopWith(automatic, "greeting: hello"))
	s.start()
	s.api = s.signIn()
	s.fleet = join(t, s.url(), "shop", members)
	s.everywhere("1.0.0")
	one := s.change(byHand, "servus")
	d := s.awaitsPromotion(one, 1)
	disk.Fill(t)
	s.writesNothing(d)
	eventually(t, "the daemon to tell", func() bool {
		return strings.Contains(s.get("/readyz"), `"database":"takes no writes`) && s.metric("sluice_database_refused_writes_total") > 0
	})
	last := s.change(automatic, "moin")
	s.writesNothing(d)
	disk.Free(t)
	end := s.concludes(last, "Completed")
	s.everywhere(end.ConfigVersion)
	s.holds()
}

// claimFull makes the server say what one with a full disk says.
func (c *cluster) claimFull() {
	c.t.Helper()
	c.sql(`CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$`)
	c.sql(`CREATE TRIGGER full_disk BEFORE INSERT ON config_audit_logs FOR EACH ROW EXECUTE FUNCTION full_disk()`)
}

func (c *cluster) claimRoom() {
	c.t.Helper()
	c.sql(`DROP FUNCTION full_disk() CASCADE`)
}

// writesNothing checks that a full disk takes no order, that this is said in
// bounded time, that the deployment d stays where it is and that the instances
// run what they ran.
func (s *scene) writesNothing(d wire.Deployment) {
	s.t.Helper()
	order := func(what string, call func() error) bool {
		began := time.Now()
		err := call()
		if took := time.Since(began); took > 15*time.Second {
			s.t.Errorf("%s took %s", what, took)
		}
		if refused, ok := errors.AsType[*client.APIError](err); err != nil && (!ok || refused.Status != http.StatusServiceUnavailable || refused.RetryAfter == 0 || !strings.Contains(refused.Message, "disk is full")) {
			s.t.Fatalf("%s gave %v, want 503 with a Retry-After that says why", what, err)
		}
		return err != nil
	}
	// What is left free inside the files is used up first, and the order has more to say than a page holds.
	for n := 0; !order("a token", func() error {
		_, err := s.api.CreateToken(s.t.Context(), wire.TokenRequest{Name: fmt.Sprintf("filler-%d-%s", n, strings.Repeat("x", 40)), Role: "Viewer"})
		return err
	}); n++ {
		if n > 2000 {
			s.t.Fatal("the disk never filled up")
		}
	}
	if !order("a promotion", func() error {
		_, err := s.api.PromoteDeployment(s.t.Context(), d.ID, "looks good: "+hex.EncodeToString(unlikely(10<<10)))
		return err
	}) {
		s.t.Error("it was promoted on a full disk")
	}
	now, err := s.api.Deployment(s.t.Context(), d.ID)
	if err != nil || now.Phase != d.Phase || now.Status != d.Status {
		s.t.Errorf("the deployment is %s in phase %d, %v; it was %s in phase %d", now.Status, now.Phase, err, d.Status, d.Phase)
	}
	if n := s.fleet.running(d.ConfigVersion); n != share(0) {
		s.t.Errorf("%d instances run %s, want %d", n, d.ConfigVersion, share(0))
	}
}

// unlikely are bytes that nothing makes fewer.
func unlikely(n int) []byte {
	out := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(out) //nolint:errcheck,gosec // it never fails, and keeps no secret
	return out
}

// sql runs a statement in the cluster's database, past the daemons.
func (c *cluster) sql(statement string, args ...any) {
	c.t.Helper()
	c.postgres.Exec(c.t, c.databaseName(), statement, args...)
}

func (c *cluster) databaseName() string {
	return c.database[strings.LastIndex(c.database, "/")+1 : strings.Index(c.database, "?")]
}
