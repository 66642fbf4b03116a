package main

import (
	"bytes"
	"debug/buildinfo"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// TestEveryModuleIsInTheBill: the bill of a real program has every module that
// `go version -m` names, with the hash of go.sum, and is the same each time.
func TestEveryModuleIsInTheBill(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "sbom")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	var one, two bytes.Buffer
	if err := write(&one, program, "1.2.3"); err != nil {
		t.Fatal(err)
	}
	if err := write(&two, program, "1.2.3"); err != nil || one.String() != two.String() {
		t.Errorf("a second bill differs, %v", err)
	}
	var bill cdx.BOM
	if err := cdx.NewBOMDecoder(&one, cdx.BOMFileFormatJSON).Decode(&bill); err != nil {
		t.Fatal(err)
	}
	if c := bill.Metadata.Component; c.Version != "1.2.3" || c.Type != cdx.ComponentTypeApplication {
		t.Errorf("the program is %+v", c)
	}
	listed := map[string]cdx.Component{}
	for _, c := range *bill.Components {
		listed[c.Name+" "+c.Version] = c
	}
	out, err := exec.CommandContext(t.Context(), "go", "version", "-m", program).Output()
	if err != nil {
		t.Fatal(err)
	}
	modules := 0
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if len(fields) != 4 || fields[0] != "dep" {
			continue
		}
		modules++
		if c, ok := listed[fields[1]+" "+fields[2]]; !ok || c.PackageURL == "" || c.Hashes == nil || len((*c.Hashes)[0].Value) != 64 {
			t.Errorf("%s %s is %+v", fields[1], fields[2], c)
		}
	}
	if modules == 0 || len(listed) != modules+1 {
		t.Errorf("%d modules are listed, the program has %d and Go's own library", len(listed), modules)
	}
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := listed["std "+strings.TrimPrefix(info.GoVersion, "go")]; !ok {
		t.Error("Go's own library is missing")
	}
}

func TestNoProgram(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(file, []byte("no program"), 0o600); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := write(&b, file, "1"); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("error is %v", err)
	}
}
