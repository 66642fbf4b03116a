package profile

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"
)

// SchemaStatus says what an edition of a registered schema may be used for.
type SchemaStatus string

// The statuses of an edition. Registering makes it Draft, or PendingApproval when it breaks something; approval makes it
// Approved; Deprecated is the end.
const (
	SchemaDraft      SchemaStatus = "Draft"           // usable outside of Production
	SchemaPending    SchemaStatus = "PendingApproval" // the same; it breaks what was promised or what is there, and somebody must look
	SchemaApproved   SchemaStatus = "Approved"        // usable everywhere
	SchemaDeprecated SchemaStatus = "Deprecated"      // for nothing new
)

// SchemaStatuses lists every SchemaStatus.
func SchemaStatuses() []SchemaStatus {
	return []SchemaStatus{SchemaDraft, SchemaPending, SchemaApproved, SchemaDeprecated}
}

// SchemaEdition is one immutable version of a schema that was registered by API.
type SchemaEdition struct {
	ID            string
	Version       string // semantic version
	Definition    []byte // the JSON Schema as canonical JSON
	Hash          string // SHA-256, hex, of Definition
	Compatibility Compatibility
	Status        SchemaStatus

	// ComparedWith is the version that this one was compared with when it was registered, "" for the first, and Breaks
	// what was found.
	ComparedWith string
	Breaks       []SchemaBreak

	CreatedAt    time.Time
	CreatedBy    string
	ApprovedAt   time.Time
	ApprovedBy   string
	DeprecatedAt time.Time
	DeprecatedBy string
	Deprecation  string // the reason
}

// Compile returns the edition's schema, of which it checks the hash.
func (e SchemaEdition) Compile() (*Schema, error) {
	if hash := definitionHash(e.Definition); hash != e.Hash {
		return nil, fmt.Errorf("%w %s %s: its definition's hash is %s", ErrSchema, e.ID, e.Version, hash)
	}
	return CompileSchema(e.ID, e.Definition)
}

func definitionHash(definition []byte) string {
	sum := sha256.Sum256(definition)
	return hex.EncodeToString(sum[:])
}

// Draft is what somebody wants to register.
type Draft struct {
	ID         string
	Version    string // derived when empty
	Definition []byte // JSON or YAML
	// Compatibility is what is asked for against the edition before; when empty, what the definition says as
	// x-sluice-compatibility, or else what the edition before promised.
	Compatibility Compatibility
}

// ErrEdition is wrapped by NewEdition for a draft that cannot follow the editions that there are.
var ErrEdition = errors.New("schema version")

// NewEdition judges a draft against the editions that there are of the schema, newest first. It is compared with the
// newest Approved one, or else the newest. A definition that is no sound schema is an error that wraps ErrSchema, a
// version that does not rise one that wraps ErrEdition or ErrVersion.
func NewEdition(d Draft, known []SchemaEdition) (SchemaEdition, *Schema, error) {
	none := SchemaEdition{}
	schema, err := CompileSchema(d.ID, d.Definition)
	if err != nil {
		return none, nil, err
	}
	definition, err := schema.MarshalJSON()
	if err != nil {
		return none, nil, fmt.Errorf("%w %s: %w", ErrSchema, d.ID, err)
	}
	e := SchemaEdition{ID: d.ID, Version: d.Version, Definition: definition, Hash: definitionHash(definition), Status: SchemaDraft}
	before, has := Usable(known)
	if e.Compatibility, err = asked(d.Compatibility, schema, before); err != nil {
		return none, nil, err
	}
	if has {
		previous, err := before.Compile()
		if err != nil {
			return none, nil, fmt.Errorf("the version before: %w", err)
		}
		e.ComparedWith = before.Version
		e.Breaks = schema.Against(previous, e.Compatibility, before.Compatibility)
	}
	if Broken(e.Breaks) {
		e.Status = SchemaPending
	}
	e.Version, err = editionVersion(d.Version, known, e.Status == SchemaPending)
	return e, schema, err
}

// asked is the compatibility that a draft is judged by, and promises.
func asked(wanted Compatibility, s *Schema, before SchemaEdition) (Compatibility, error) {
	_, says := s.doc[compatibilityKey]
	switch {
	case wanted != "" && !slices.Contains(Compatibilities(), wanted):
		return "", fmt.Errorf("%w %s: %s", ErrSchema, s.id, oneOf("compatibility", string(wanted), Compatibilities()))
	case wanted != "" && says && wanted != s.compatibility:
		return "", fmt.Errorf("%w %s: compatibility %s is asked for, and the definition says %s: %s", ErrSchema, s.id, wanted, compatibilityKey, s.compatibility)
	case wanted != "":
		return wanted, nil
	case says:
		return s.compatibility, nil
	case before.Compatibility != "":
		return before.Compatibility, nil
	}
	return CompatibilityNone, nil
}

// editionVersion checks that a version rises above every one that there is, or derives it: the next major one for an
// edition that breaks something, else the next minor one.
func editionVersion(wanted string, known []SchemaEdition, breaks bool) (string, error) {
	if len(known) == 0 {
		if wanted == "" {
			return FirstVersion, nil
		}
		_, err := ParseVersion(wanted)
		return wanted, err
	}
	newest, err := ParseVersion(known[0].Version)
	if err != nil {
		return "", err
	}
	if wanted == "" {
		next := newest.IncMinor()
		if breaks {
			next = newest.IncMajor()
		}
		return next.String(), nil
	}
	next, err := ParseVersion(wanted)
	if err != nil {
		return "", err
	}
	if slices.ContainsFunc(known, func(e SchemaEdition) bool { return e.Version == wanted }) {
		return "", fmt.Errorf("%w %s exists already: what was registered never changes, register the next one", ErrEdition, wanted)
	}
	if !next.GreaterThan(newest) {
		return "", fmt.Errorf("%w %s does not rise above %s: raise it, or leave it out and it is derived", ErrEdition, wanted, known[0].Version)
	}
	return wanted, nil
}

// Usable picks the edition that an ID means, from those that there are, newest first: the newest Approved one, while
// there is none the newest that is not Deprecated, else the newest.
func Usable(known []SchemaEdition) (e SchemaEdition, ok bool) {
	for _, wanted := range []func(SchemaStatus) bool{
		func(s SchemaStatus) bool { return s == SchemaApproved },
		func(s SchemaStatus) bool { return s != SchemaDeprecated },
		func(SchemaStatus) bool { return true },
	} {
		if i := slices.IndexFunc(known, func(e SchemaEdition) bool { return wanted(e.Status) }); i >= 0 {
			return known[i], true
		}
	}
	return SchemaEdition{}, false
}

// NotApproved says why Production is not deployed to under an edition, and the way out.
func NotApproved(e SchemaEdition) string {
	if e.Status == SchemaDeprecated {
		return fmt.Sprintf("schema %s has no Approved version, %s is Deprecated (%s): register the next one and let an Admin approve it: sluice schema approve %s",
			e.ID, e.Version, e.Deprecation, e.ID)
	}
	return fmt.Sprintf("schema %s %s is %s, and Production deploys only against an Approved one: an Admin approves it with sluice schema approve %s --version %s",
		e.ID, e.Version, e.Status, e.ID, e.Version)
}
