// Command sbom writes the bill of materials of a program that Go built, as
// CycloneDX JSON, from what the program says of itself: sbom PROGRAM VERSION.
package main

import (
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: sbom PROGRAM VERSION")
		os.Exit(2)
	}
	if err := write(os.Stdout, os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

func write(w io.Writer, program, version string) error {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return fmt.Errorf("read %s: %w", program, err)
	}
	bill, err := billOf(info, version)
	if err != nil {
		return fmt.Errorf("%s: %w", program, err)
	}
	return cdx.NewBOMEncoder(w, cdx.BOMFileFormatJSON).SetPretty(true).SetEscapeHTML(false).EncodeVersion(bill, cdx.SpecVersion1_6)
}

// billOf has no time and no random serial number in it: of the same program comes
// the same bill.
func billOf(info *debug.BuildInfo, version string) (*cdx.BOM, error) {
	subject := component(cdx.ComponentTypeApplication, info.Main.Path, version)
	subject.Licenses = &cdx.Licenses{{License: &cdx.License{ID: "Apache-2.0"}}}
	properties := make([]cdx.Property, 0, len(info.Settings))
	for _, s := range info.Settings {
		properties = append(properties, cdx.Property{Name: "cdx:gomod:build:" + s.Key, Value: s.Value})
	}
	subject.Properties = &properties

	standard := component(cdx.ComponentTypeLibrary, "std", strings.TrimPrefix(info.GoVersion, "go"))
	components := []cdx.Component{standard}
	needs := []string{standard.BOMRef}
	for _, module := range info.Deps {
		if module.Replace != nil {
			module = module.Replace
		}
		c := component(cdx.ComponentTypeLibrary, module.Path, module.Version)
		sum, err := sha256Of(module.Sum)
		if err != nil {
			return nil, fmt.Errorf("module %s: %w", module.Path, err)
		}
		c.Hashes = &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: sum}}
		components = append(components, c)
		needs = append(needs, c.BOMRef)
	}
	bill := cdx.NewBOM()
	bill.Metadata = &cdx.Metadata{Component: &subject}
	bill.Components = &components
	bill.Dependencies = &[]cdx.Dependency{{Ref: subject.BOMRef, Dependencies: &needs}}
	return bill, nil
}

func component(kind cdx.ComponentType, path, version string) cdx.Component {
	url := "pkg:golang/" + strings.ToLower(path) + "@" + strings.ReplaceAll(version, "+", "%2B")
	return cdx.Component{Type: kind, BOMRef: url, Name: path, Version: version, PackageURL: url}
}

// sha256Of reads a sum of go.sum: h1 is the SHA-256 of a module's files, in base64.
func sha256Of(sum string) (string, error) {
	encoded, ok := strings.CutPrefix(sum, "h1:")
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if !ok || err != nil {
		return "", fmt.Errorf("%q is no sum of go.sum", sum)
	}
	return hex.EncodeToString(raw), nil
}
