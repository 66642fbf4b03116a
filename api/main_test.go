package api_test

import (
	"os"
	"testing"

	"github.com/sluicehq/sluice/internal/testenv"
)

// TestMain stops the server that the tests share.
func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }
