package api_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"testing"

	"github.com/sluicehq/sluice/api"
	"github.com/sluicehq/sluice/internal/contract"
	"github.com/sluicehq/sluice/internal/testenv"
)

// described holds what the tests ask and are answered against the API's own
// description: who sends or answers something else gets an error.
var described = &contract.Transport{Next: http.DefaultTransport}

// TestMain stops the server that the tests share, and says what of the
// description no test has seen.
func TestMain(m *testing.M) {
	http.DefaultTransport = described
	code := testenv.Main(m)
	if d := described.Document(); code == 0 && d != nil {
		if err := d.Faults(); err != nil {
			fmt.Fprintln(os.Stderr, "events that the description does not have:", err)
			code = 1
		}
		if unused := d.Unused(); wholeSuite() && len(unused) > 0 {
			fmt.Fprintln(os.Stderr, "operations that no test has brought to succeed:", unused)
			code = 1
		}
	}
	os.Exit(code)
}

// wholeSuite says that no test was left out by a flag.
func wholeSuite() bool {
	for _, name := range []string{"test.run", "test.skip", "test.list", "test.fuzz", "test.bench"} {
		if f := flag.Lookup(name); f != nil && f.Value.String() != "" {
			return false
		}
	}
	return !testing.Short()
}

// hold gives the description of an API to the tests' requests.
func (w *world) hold() {
	w.t.Helper()
	if described.Document() != nil {
		return
	}
	document, err := api.DocumentOf(w.api)
	w.must(err)
	text, err := json.Marshal(document)
	w.must(err)
	loaded, err := contract.Load(text)
	w.must(err)
	described.Hold(loaded)
}
