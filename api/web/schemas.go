package web

import "github.com/sluicehq/sluice/api/wire"

// SchemasView is the list of schemas.
type SchemasView struct {
	Status   string // what the list is narrowed by
	Statuses []string
	Items    []SchemaRow
	Pager    Pager
	OfGit    []SchemaRow // of a repository: there are only their IDs, and who uses them
}

// SchemaRow is one schema in the list.
type SchemaRow struct {
	wire.Schema        // its newest version
	Approved    string // version in use for Production, "" for none
	Profiles    int    // that use it, among those that the viewer sees
}

// SchemaView is one version of a schema, or a schema of a repository.
type SchemaView struct {
	wire.Schema
	OfGit      bool   // it was not registered: its definition is in its repository
	Newest     bool   // there is no later version
	Definition string // as JSON that people can read
	Users      []wire.Config
	MoreUsers  int
	Waiting    []wire.Deployment // that wait for the approval of a schema of a repository
	Reason     string            // as it was filled in
}

// Approvable says that the version may be approved.
func (v SchemaView) Approvable() bool {
	return v.OfGit && len(v.Waiting) > 0 || v.Status == "Draft" || v.Status == "PendingApproval"
}

// Deprecatable says that its use may be ended.
func (v SchemaView) Deprecatable() bool { return !v.OfGit && v.Status != "Deprecated" }
