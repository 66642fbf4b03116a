package profile

import (
	"path"
	"slices"
	"strings"
)

// FilePart says which part a file has in a repository.
type FilePart string

// The parts of files.
const (
	PartNone    FilePart = ""        // no file of Sluice's
	PartProfile FilePart = "profile" // Loader loads it
	PartBase    FilePart = "base"
	PartSchema  FilePart = "schema"
)

// PartOf tells the part of a file from its path and content.
func PartOf(file string, src []byte) FilePart {
	switch kind := Kind(src); {
	case kind == KindBase:
		return PartBase
	case kind != KindNone:
		return PartProfile
	case SchemaFile(file):
		return PartSchema
	}
	return PartNone
}

// SchemaFile says whether a path is that of a schema: schemas/ID.yaml, .yml or .json, at any depth.
func SchemaFile(file string) bool {
	return path.Base(path.Dir(file)) == "schemas" && slices.Contains([]string{".json", ".yaml", ".yml"}, path.Ext(file))
}

// CheckPart checks a base or a schema by itself, which no profile needs to name. Its error is as Load's.
func CheckPart(files Files, root, file string, src []byte) error {
	switch PartOf(file, src) {
	case PartBase:
		_, _, err := LoadBase(files, root, file, Limits{})
		return err
	case PartSchema:
		_, err := CompileSchemaFile(strings.TrimSuffix(path.Base(file), path.Ext(file)), file, src)
		return err
	default:
		return nil
	}
}
