package wire

import (
	"encoding/json"
	"time"
)

// RegisterSchemaRequest is the body of POST /schemas.
type RegisterSchemaRequest struct {
	SchemaID string `json:"schemaId"`
	// SchemaDefinition is a JSON Schema (2020-12): an object, or a string that holds one as JSON or YAML.
	SchemaDefinition json.RawMessage `json:"schemaDefinition"`
	// Version is a semantic version above those that there are; derived when it is left out.
	Version string `json:"version,omitempty"`
	// Compatibility is what is asked for against the version before. Left out, it is what the definition says as
	// x-sluice-compatibility, or else that of the version before.
	Compatibility string `json:"compatibility,omitempty"`
}

// Schema is one version of a registered schema.
type Schema struct {
	SchemaID         string          `json:"schemaId"`
	Version          string          `json:"version"`
	SchemaDefinition json.RawMessage `json:"schemaDefinition,omitempty"` // left out of lists
	Hash             string          `json:"hash"`                       // SHA-256, hex, of the definition as canonical JSON
	Compatibility    string          `json:"compatibility"`
	Status           string          `json:"status"`
	ComparedWith     string          `json:"comparedWith,omitempty"` // the version that it was compared with when it was registered
	Breaks           []SchemaBreak   `json:"breaks"`                 // how it parts with that one
	// Violations are profiles whose newest version does not satisfy it. The answers to registering and approving have them.
	Violations        []SchemaViolation `json:"violations,omitempty"`
	CreatedAt         time.Time         `json:"createdAt"`
	CreatedBy         string            `json:"createdBy,omitempty"`
	ApprovedAt        *time.Time        `json:"approvedAt,omitempty"`
	ApprovedBy        string            `json:"approvedBy,omitempty"`
	DeprecatedAt      *time.Time        `json:"deprecatedAt,omitempty"`
	DeprecatedBy      string            `json:"deprecatedBy,omitempty"`
	DeprecationReason string            `json:"deprecationReason,omitempty"`
	Versions          []SchemaVersion   `json:"versions,omitempty"` // all there are, newest first; of one schema only
	// Started are the deployments that waited for a schema of Git, which breaks what it declared, and that its approval let start.
	Started []string `json:"started,omitempty"`
}

// SchemaVersion is one version of a schema in the list of them.
type SchemaVersion struct {
	Version   string    `json:"version"`
	Status    string    `json:"status"`
	CreatedAt time.Time `json:"createdAt"`
}

// SchemaBreak is one way in which a version of a schema parts with the one before it.
type SchemaBreak struct {
	Path      string `json:"path"` // place in the schema, such as $.properties.maxRetries.maximum
	Message   string `json:"message"`
	Direction string `json:"direction"` // Backward: what was valid may not be. Forward: what is valid may not have been.
	// OpenName says that only data is concerned which used a property's name before the schema knew it.
	OpenName bool `json:"openName,omitempty"`
}

// SchemaViolation is a profile whose newest version does not satisfy a schema.
type SchemaViolation struct {
	ConfigName string      `json:"configName"`
	Version    string      `json:"version"`
	Errors     []PathError `json:"errors"`
}

// PathError is what is wrong with data, by JSON path.
type PathError struct {
	Path    string `json:"path"` // such as $.maxRetries
	Message string `json:"message"`
}

// ValidateDataRequest is the body of POST /schemas/{id}/validate.
type ValidateDataRequest struct {
	ConfigData json.RawMessage `json:"configData"`        // an object, or a string that holds one as JSON
	Version    string          `json:"version,omitempty"` // of the schema; the one in use when it is left out
}

// ValidateDataResponse says whether data satisfies a schema.
type ValidateDataResponse struct {
	IsValid       bool        `json:"isValid"`
	Errors        []PathError `json:"errors"`
	SchemaVersion string      `json:"schemaVersion"` // that it was checked by
}

// SchemaOrder is the body of approve and deprecate.
type SchemaOrder struct {
	Version string `json:"version,omitempty"` // the newest when it is left out
	Reason  string `json:"reason,omitempty"`  // required to deprecate
}

// ValidateRequest is the body of POST /validate: files, or one file as path and content.
type ValidateRequest struct {
	Source string `json:"source,omitempty"` // id of a source: what the files are against what is there; needed when there are several
	Files  []File `json:"files,omitempty"`  // at most 2,000 of 1 MiB, 8 MiB together
	// Partial says that the files are laid over those of the source's last commit, instead of being all there are.
	Partial bool   `json:"partial,omitempty"`
	Path    string `json:"path,omitempty"`    // of one file, that is laid over those of the source's last commit
	Content string `json:"content,omitempty"` // of that file
}

// File is one file of a repository.
type File struct {
	Path    string `json:"path"`    // from the repository's root, with slashes
	Content string `json:"content"` // as text, of at most 1 MiB
}

// ValidateResponse is what a pull request with the files would be told.
type ValidateResponse struct {
	IsValid  bool              `json:"isValid"`
	Problems []FileProblem     `json:"problems"` // for which a profile would make no version, or not be deployed
	Warnings []FileProblem     `json:"warnings"` // with which it would all the same
	Profiles []ProfileForecast `json:"profiles"`
}

// FileProblem is what is wrong with a file, at a place.
type FileProblem struct {
	File    string `json:"file"`             // its path in the repository
	Line    int    `json:"line,omitempty"`   // from 1; left out when the whole file is meant
	Column  int    `json:"column,omitempty"` // from 1
	Field   string `json:"field,omitempty"`  // JSON path such as $.data.maxRetries
	Message string `json:"message"`
}

// ProfileForecast is what would become of one profile.
type ProfileForecast struct {
	Name           string `json:"name"`
	File           string `json:"file"` // its path in the repository
	IsValid        bool   `json:"isValid"`
	CurrentVersion string `json:"currentVersion,omitempty"` // the newest that there is
	Version        string `json:"version,omitempty"`        // that it would become; left out when its data stays as it is
	Bump           string `json:"bump"`                     // none, patch, minor or major
	Breaking       bool   `json:"breaking"`                 // a key is removed, or a type changes
	Retires        bool   `json:"retires,omitempty"`        // its file is not there any more
	Guard          string `json:"guard,omitempty"`          // why a person would be asked first
}
