package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The quick start and both runbooks are run as a reader would run them.
func TestRunbooks(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "runbooks.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := shBlock.FindAllStringSubmatch(string(text), -1)
	script := &strings.Builder{}
	for i, block := range blocks {
		fmt.Fprintf(script, "echo '=== %d'\n%s", i, block[1])
	}
	parts := strings.Split(runShell(t, script.String()), "=== ")[1:]
	wants := [][]string{
		{},
		{`{"status":"ok"}`},
		{},
		{`{"schemaId":"test.v1","status":"Draft"}`, `{"name":"test-service.dev","serviceName":"test-service","defaultStrategy":"Direct"}`},
		{`"SCHEMA_VALIDATION_ERROR"`, `"$.maxRetries"`, `{"version":"1.0.0","schemaId":"test.v1","sizeBytes":32}`},
		{},
		{`"configVersion":"1.0.0","status":"Completed"`, `"maxRetries": 3`},
		{`{"version":"1.0.1"}`, `"status":"Failed"`},
		{`"hostname": "test-1"`, `"desiredVersion": "1.0.1"`, `"outcome":"Fail"`},
		{`{"configName":"test-service.dev","fromVersion":"1.0.1","toVersion":"1.0.0"}`, `{"configVersion":"1.0.0","status":"Completed"`},
		{`"currentVersion":"1.0.0","desiredVersion":"1.0.1"`, `"refusedVersion":"1.0.1","reason":"test-1 cannot live with 99 retries"`},
		{`{"strategy":"Canary","phaseInterval":"PT1H"}`},
		{`"configName":"test-service.dev","configVersion":"1.1.0"`},
		{`"status":"Paused"`},
		{`"rollbackReason":"errors at checkout, incident 42"`},
		{`"status":"RolledBack"`, `[{"hostname":"test-1","appliedVersion":"1.0.0"}]`, `"maxRetries": 3`, `{"user":"admin","eventType":"deployment.rollback"}`},
		{},
	}
	if len(parts) != len(blocks) || len(wants) != len(blocks) {
		t.Fatalf("%d of %d blocks ran, %d are expected:\n%s", len(parts), len(blocks), len(wants), strings.Join(parts, "=== "))
	}
	for i, want := range wants {
		for _, word := range want {
			if !strings.Contains(parts[i], word) {
				t.Errorf("block %d does not show %s:\n%s\nit printed:\n%s", i, word, blocks[i][1], parts[i])
			}
		}
	}
}
