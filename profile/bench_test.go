package profile_test

import (
	"os"
	"testing"

	"github.com/sluicehq/sluice/profile"
)

// BenchmarkLoad loads a profile with two bases and a schema that was compiled before, as a sync does for each changed file.
func BenchmarkLoad(b *testing.B) {
	files, loader := disk("../examples/configs"), profile.NewLoader("", profile.Limits{})
	for b.Loop() {
		if _, err := loader.Load(files, "payment-service/production.yaml"); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCompileSchema compiles the schema, which is most of a first load.
func BenchmarkCompileSchema(b *testing.B) {
	src, err := os.ReadFile("../examples/configs/schemas/payment-config.v1.yaml")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := profile.CompileSchema("payment-config.v1", src); err != nil {
			b.Fatal(err)
		}
	}
}
