package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/sluicehq/sluice/profile"
)

const versionColumns = `config_name, version, config_hash, size_bytes, schema_id, schema_hash, validated_at, description, tags, metadata, deprecation_reason, source_id, commit_sha, author, message, pull_request, superseded, created_at, created_by`

func versionDest(v *profile.Version) []any {
	return []any{&v.Profile, &v.Number, &v.Hash, &v.SizeBytes, &v.SchemaID, &v.SchemaHash, at(&v.ValidatedAt), &v.Description,
		asJSON(&v.Tags), asJSON(&v.Metadata), &v.Deprecated, &v.Source, &v.Commit, &v.Author, &v.Message, &v.PullRequest,
		&v.Superseded, at(&v.CreatedAt), &v.CreatedBy}
}

func scanVersion(row scanner) (profile.Version, error) {
	var v profile.Version
	return v, row.Scan(versionDest(&v)...)
}

func scanVersionData(row scanner) (profile.Version, error) {
	var v profile.Version
	var data string
	if err := row.Scan(append(versionDest(&v), &data)...); err != nil {
		return v, err
	}
	decoded, err := profile.DecodeData([]byte(data))
	if err != nil {
		return v, &CorruptError{Table: "config_versions", Key: v.Profile + " " + v.Number, Err: err}
	}
	if hash := profile.Hash(decoded); hash != v.Hash {
		return v, &CorruptError{Table: "config_versions", Key: v.Profile + " " + v.Number, Err: fmt.Errorf("the data's hash is %s", hash)}
	}
	v.Data = decoded
	return v, nil
}

// InsertVersion adds an immutable version; ErrExists for a number that is there
// already, ErrHashMismatch for data that the version's hash is not of.
func (tx *Tx) InsertVersion(ctx context.Context, v profile.Version) error {
	return tx.InsertVersions(ctx, []profile.Version{v})
}

// insertVersions is the statement that adds versions.
var insertVersions = into("config_versions", `config_name, version, config_data, config_hash, size_bytes, schema_id, schema_hash, validated_at,
	description, tags, metadata, source_id, commit_sha, author, message, pull_request, superseded, created_at, created_by`, "")

// InsertVersions adds immutable versions, those of one profile in their order. Its
// errors are those of InsertVersion.
func (tx *Tx) InsertVersions(ctx context.Context, versions []profile.Version) error {
	if len(versions) == 0 {
		return nil
	}
	texts := make([]string, len(versions))
	names := make([]string, len(versions))
	for i, v := range versions {
		data := v.Canonical()
		if hash := profile.HashCanonical(data); v.Hash != hash {
			return fmt.Errorf("write version %s of %s: %w: the data's is %s", v.Number, v.Profile, ErrHashMismatch, hash)
		}
		texts[i], names[i] = string(data), v.Profile
	}
	if err := tx.lockNamed(ctx, names); err != nil {
		return err
	}
	now := tx.now()
	_, err := insertVersions.write(ctx, tx.tx, len(versions), func(i int) []any {
		v := &versions[i]
		created := v.CreatedAt
		if created.IsZero() {
			created = now
		}
		return []any{v.Profile, v.Number, texts[i], v.Hash, len(texts[i]), v.SchemaID, v.SchemaHash, stamp(v.ValidatedAt), v.Description,
			asJSON(&v.Tags), asJSON(&v.Metadata), v.Source, v.Commit, v.Author, v.Message, v.PullRequest, v.Superseded,
			stamp(created), v.CreatedBy}
	})
	if err != nil {
		return fmt.Errorf("write %s: %w", andMore("version "+versions[0].Number+" of "+versions[0].Profile, len(versions)), err)
	}
	for i, v := range versions {
		if strings.Contains(texts[i], profile.SealedKey) { // most are not worth a walk through their data
			if err := tx.useSealed(ctx, v); err != nil {
				return fmt.Errorf("write version %s of %s: %w", v.Number, v.Profile, err)
			}
		}
		tx.counts(v.Profile, 1, 0)
		tx.s.fail("K4")
	}
	return nil
}

// InsertVersion does so in a transaction of its own.
func (s *Store) InsertVersion(ctx context.Context, v profile.Version) error {
	return s.InTx(ctx, func(tx *Tx) error { return tx.InsertVersion(ctx, v) })
}

// Version reads one version with its data; ErrNotFound when there is none.
func (s *Store) Version(ctx context.Context, name, number string) (profile.Version, error) {
	v, err := scanVersionData(s.read.QueryRowContext(ctx,
		`SELECT `+versionColumns+`, config_data FROM config_versions WHERE config_name = $1 AND version = $2`, name, number))
	return v, notFound(err, ErrNotFound, "version "+number+" of", name)
}

// LatestVersion reads the profile's newest version with its data; ok is false
// before the first.
func (s *Store) LatestVersion(ctx context.Context, name string) (v profile.Version, ok bool, err error) {
	newest, err := newestVersion(ctx, s.read, name)
	if newest == nil {
		return v, false, err
	}
	return *newest, true, nil
}

// newestVersion is nil before the first.
func newestVersion(ctx context.Context, q querier, name string) (*profile.Version, error) {
	v, err := scanVersionData(q.QueryRowContext(ctx, `SELECT `+versionColumns+`, config_data FROM config_versions
		WHERE config_name = $1 ORDER BY seq DESC LIMIT 1`, name))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the newest version of %s: %w", name, err)
	}
	return &v, nil
}

// VersionFilter narrows a list of versions. Zero fields do not.
type VersionFilter struct {
	Tags          []string // all of them
	Limit, Offset int
}

// hasTag begins the condition that a version has a tag.
var hasTag = text{
	sqlite:   `CASE WHEN json_type(tags) = 'array' THEN EXISTS (SELECT 1 FROM json_each(tags) WHERE value = `,
	postgres: `CASE WHEN json_typeof(tags) = 'array' THEN EXISTS (SELECT 1 FROM json_array_elements_text(tags) AS t(value) WHERE value = `,
}

// Versions lists a profile's versions without their data, newest first, and
// how many there are in all.
func (s *Store) Versions(ctx context.Context, name string, f VersionFilter) ([]profile.Version, int, error) {
	w := where{}
	w.equal("config_name", name)
	for _, tag := range f.Tags {
		w.add(s.engine.pick(hasTag), tag, ") ELSE false END")
	}
	return listed(ctx, s.read, w, "config_versions", versionColumns, "seq DESC", f.Limit, f.Offset, scanVersion)
}

// Proven says whether a deployment of this content ever completed on the profile. One
// for chosen instances says nothing of it.
func (s *Store) Proven(ctx context.Context, name, hash string) (bool, error) {
	n, err := count(ctx, s.read, `SELECT count(*) FROM config_deployments
		WHERE config_name = $1 AND config_hash = $2 AND `+completedWhole+` AND targets > 0`, name, hash)
	if err != nil {
		return false, fmt.Errorf("look for completed deployments of %s: %w", name, err)
	}
	return n > 0, nil
}

// completedWhole is the condition that a deployment completed with its version on the
// profile: not on chosen instances alone.
const completedWhole = `status = 'Completed' AND kind <> 'Retirement' AND NOT chosen`

// CompletedVersion is a version that completed on its profile.
type CompletedVersion struct{ Number, Hash string }

// CompletedVersions lists the versions that completed on the profile, the
// newest completion first: where a rollback can go.
func (s *Store) CompletedVersions(ctx context.Context, name string) ([]CompletedVersion, error) {
	versions, err := collect(ctx, s.read, func(row scanner) (v CompletedVersion, err error) {
		var last int64
		return v, row.Scan(&v.Number, &v.Hash, &last)
	}, `SELECT config_version, config_hash, max(seq) FROM config_deployments
		WHERE config_name = $1 AND `+completedWhole+` GROUP BY config_version, config_hash ORDER BY 3 DESC`, name)
	if err != nil {
		return nil, fmt.Errorf("list the completed versions of %s: %w", name, err)
	}
	return versions, nil
}
