package store

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/sluicehq/sluice/profile"
)

// versionRow is one version as it goes into the database. What a column keeps as
// JSON is a text here: nothing of it is written otherwise than it came.
type versionRow struct {
	Profile, Number, Data, Hash              string
	Size                                     int
	SchemaID, SchemaHash                     string
	ValidatedAt                              driver.Value // as the engine keeps times
	Description, Tags, Metadata              string
	Source, Commit, Author, Message, Creator string
	PullRequest                              int
	Superseded                               bool
	CreatedAt                                driver.Value
}

// versionRows are the versions in the JSON array $1, in its order.
var versionRows = text{
	sqlite: `SELECT json_extract(value, '$.Profile'), json_extract(value, '$.Number'), json_extract(value, '$.Data'), json_extract(value, '$.Hash'),
		json_extract(value, '$.Size'), json_extract(value, '$.SchemaID'), json_extract(value, '$.SchemaHash'), json_extract(value, '$.ValidatedAt'),
		json_extract(value, '$.Description'), json_extract(value, '$.Tags'), json_extract(value, '$.Metadata'), json_extract(value, '$.Source'),
		json_extract(value, '$.Commit'), json_extract(value, '$.Author'), json_extract(value, '$.Message'), json_extract(value, '$.PullRequest'),
		json_extract(value, '$.Superseded'), json_extract(value, '$.CreatedAt'), json_extract(value, '$.Creator')
		FROM json_each($1) ORDER BY key`,
	postgres: `SELECT "Profile", "Number", "Data"::json, "Hash", "Size", "SchemaID", "SchemaHash", "ValidatedAt", "Description", "Tags"::json,
		"Metadata"::json, "Source", "Commit", "Author", "Message", "PullRequest", "Superseded", "CreatedAt", "Creator"
		FROM json_to_recordset($1::json) AS r("Profile" text, "Number" text, "Data" text, "Hash" text, "Size" bigint, "SchemaID" text,
			"SchemaHash" text, "ValidatedAt" timestamptz, "Description" text, "Tags" text, "Metadata" text, "Source" text, "Commit" text,
			"Author" text, "Message" text, "PullRequest" bigint, "Superseded" boolean, "CreatedAt" timestamptz, "Creator" text)`,
}

// countedNames says how often each name is in the JSON array $1.
var countedNames = text{
	sqlite:   `SELECT value AS name, count(*) AS n FROM json_each($1) GROUP BY value`,
	postgres: `SELECT value AS name, count(*) AS n FROM json_array_elements_text($1::json) AS j(value) GROUP BY value`,
}

// mostVersions is how many versions one statement writes: a version's data may
// have a megabyte.
const mostVersions = 200

// InsertVersions does so for many, in few statements: a first sync makes
// thousands.
func (tx *Tx) InsertVersions(ctx context.Context, versions []profile.Version) error {
	for some := range slices.Chunk(versions, mostVersions) {
		if err := tx.insertVersions(ctx, some); err != nil {
			return err
		}
	}
	return nil
}

func (tx *Tx) insertVersions(ctx context.Context, versions []profile.Version) error {
	what := fmt.Sprintf("write version %s of %s", versions[0].Number, versions[0].Profile)
	if n := len(versions) - 1; n > 0 {
		what += fmt.Sprintf(" and %d others", n)
	}
	rows, names := make([]versionRow, len(versions)), make([]string, len(versions))
	for i, v := range versions {
		var err error
		if rows[i], err = tx.versionRow(v); err != nil {
			return fmt.Errorf("write version %s of %s: %w", v.Number, v.Profile, err)
		}
		names[i] = v.Profile
	}
	if err := tx.lockProfiles(ctx, tx.s.engine.in("name", 1), asJSON(names)); err != nil {
		return err
	}
	_, err := tx.exec(ctx, `INSERT INTO config_versions
		(config_name, version, config_data, config_hash, size_bytes, schema_id, schema_hash, validated_at, description, tags,
		 metadata, source_id, commit_sha, author, message, pull_request, superseded, created_at, created_by) `+tx.s.engine.pick(versionRows), asJSON(rows))
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	for _, v := range versions {
		if err := tx.useSealed(ctx, v); err != nil {
			return fmt.Errorf("write version %s of %s: %w", v.Number, v.Profile, err)
		}
	}
	if _, err := tx.exec(ctx, `UPDATE config_profiles SET version_count = version_count + c.n FROM (`+tx.s.engine.pick(countedNames)+`) AS c
		WHERE config_profiles.name = c.name`, asJSON(names)); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	tx.s.fail("K4")
	return nil
}

// versionRow checks a version and makes a row of it.
func (tx *Tx) versionRow(v profile.Version) (row versionRow, err error) {
	data := profile.Canonical(v.Data)
	if hash := profile.HashCanonical(data); v.Hash != hash {
		return row, fmt.Errorf("%w: the data's is %s", ErrHashMismatch, hash)
	}
	if v.CreatedAt.IsZero() {
		v.CreatedAt = tx.now()
	}
	row = versionRow{
		Profile: v.Profile, Number: v.Number, Data: string(data), Hash: v.Hash, Size: len(data), SchemaID: v.SchemaID, SchemaHash: v.SchemaHash,
		ValidatedAt: tx.asKept(v.ValidatedAt), Description: cleanText(v.Description), Source: v.Source, Commit: v.Commit, Author: cleanText(v.Author),
		Message: cleanText(v.Message), Creator: cleanText(v.CreatedBy), PullRequest: v.PullRequest, Superseded: v.Superseded, CreatedAt: tx.asKept(v.CreatedAt),
	}
	if row.Tags, err = jsonText(v.Tags); err != nil {
		return row, err
	}
	row.Metadata, err = jsonText(v.Metadata)
	return row, err
}

// asKept is a time as the engine keeps it.
func (tx *Tx) asKept(t time.Time) driver.Value {
	value, _ := tx.s.engine.value(stamp(t))
	return value
}

func jsonText(v any) (string, error) {
	text, err := json.Marshal(v)
	return string(text), err
}
