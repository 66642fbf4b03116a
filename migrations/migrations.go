// Package migrations holds the numbered SQL that makes the database schema, a
// folder for each engine.
package migrations

import "embed"

// SQLite are the migrations of the embedded engine, below the folder sqlite.
//
//go:embed sqlite/*.sql
var SQLite embed.FS

// Postgres are the migrations of PostgreSQL, below the folder postgres.
//
//go:embed postgres/*.sql
var Postgres embed.FS
