package demo_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/internal/demo"
	"github.com/sluicehq/sluice/internal/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }

// The whole way, as a user sees it: the real program, a real repository, real
// services under load, kill -9 in the middle. Every outcome must be as it should be.
func TestDemo(t *testing.T) {
	var out bytes.Buffer
	pictures := onlooker(t)
	draw := func(d wire.Deployment) string {
		return fmt.Sprintf("%s %s %s\n", d.ConfigName, d.ConfigVersion, d.Status)
	}
	err := demo.Run(t.Context(), demo.Options{
		Binary: testenv.Binary(t), Dir: t.TempDir(), Out: &out,
		Look: demo.Look{Live: true, Unicode: true, Draw: draw, Line: draw}, Onlooker: pictures.look,
	})
	pictures.done()
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, want := range []string{"(a)", "(b)", "(c)", "(d)", "(e)", "(f)", "All 23 outcomes were as they should be"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the demo did not say %q:\n%s", want, out.String())
		}
	}
}
