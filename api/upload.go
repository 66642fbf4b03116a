package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/store"
)

// Bounds on what is said about a version.
const (
	maxTags        = 20
	maxTag         = 64
	maxMetadata    = 32
	maxDescription = 4096
)

// uploadVersion makes a version of a profile that the API manages. Nothing is
// deployed by it.
func (a *API) uploadVersion(c echo.Context) error {
	name := c.Param("name")
	k, err := a.keptConfig(c, name)
	if err != nil {
		return err
	}
	if err := writable(k.Record); err != nil {
		return err
	}
	var req wire.UploadRequest
	if err := decode(c, &req); err != nil {
		return err
	}
	if err := checkUpload(req); err != nil {
		return err
	}
	data, err := uploaded(req.ConfigData)
	if err != nil {
		return err
	}
	hash, err := a.fits(c, k.Record, data)
	if err != nil {
		return err
	}
	if data, err = a.sealed(c, name, data); err != nil {
		return err
	}
	v := profile.Version{
		Profile: name, Data: data, Hash: profile.Hash(data), SchemaID: k.Record.SchemaID, SchemaHash: hash, Description: req.Description,
		Tags: req.Tags, Metadata: req.Metadata, Author: who(c).name, CreatedBy: who(c).name,
	}
	made, err := a.opts.Store.Upload(c.Request().Context(), name, by(c), func(k store.Kept, newest *profile.Version) (profile.Version, error) {
		if err := errors.Join(writable(k.Record), matches(c, wholeConfig(k))); err != nil {
			return v, err
		}
		v.Number, err = following(c, newest, v, req.Version)
		return v, err
	})
	if errors.Is(err, store.ErrExists) {
		return taken(c, "version "+v.Number+" of "+name+" exists already")
	}
	if err != nil {
		return err
	}
	a.opts.Uploaded()
	return answerVersion(c, http.StatusCreated, made)
}

// following is the number of a version that comes after the newest one.
func following(c echo.Context, newest *profile.Version, v profile.Version, asked string) (string, error) {
	previous, diff := "", profile.Compare(nil, v.Data)
	if newest != nil {
		previous, diff = newest.Number, profile.Compare(newest.Data, v.Data)
		switch {
		case asked == previous:
			return "", taken(c, fmt.Sprintf("version %s of %s exists already, and versions never change", asked, v.Profile))
		case diff.Empty():
			return "", taken(c, fmt.Sprintf("version %s of %s has this data already", previous, v.Profile))
		}
	}
	number, err := profile.NextVersion(previous, asked, diff)
	if errors.Is(err, profile.ErrVersion) {
		return "", conflict(err.Error())
	}
	return number, err
}

// checkUpload judges everything about an upload but its data.
func checkUpload(req wire.UploadRequest) error {
	var wrong []wire.FieldError
	if req.Version != "" {
		if _, err := profile.ParseVersion(req.Version); err != nil {
			wrong = append(wrong, wire.FieldError{Field: "version", Message: err.Error()})
		}
	}
	if len(req.Description) > maxDescription || !readable(req.Description) {
		wrong = append(wrong, wire.FieldError{Field: "description", Message: fmt.Sprintf("has at most %d bytes of text", maxDescription)})
	}
	wrong = append(wrong, checkTags(req.Tags)...)
	if len(req.Metadata) > maxMetadata {
		wrong = append(wrong, wire.FieldError{Field: "metadata", Message: fmt.Sprintf("has at most %d entries", maxMetadata)})
	}
	for key, value := range req.Metadata {
		if len(key)+len(value) > maxName || key == "" || !printable(key+value) {
			wrong = append(wrong, wire.FieldError{Field: "metadata." + key, Message: fmt.Sprintf("has at most %d printable characters", maxName)})
		}
	}
	if len(wrong) > 0 {
		return invalid("the version cannot be made", wrong...)
	}
	return nil
}

// readable is printable text that may have lines.
func readable(text string) bool {
	return printable(string(bytes.ReplaceAll([]byte(text), []byte("\n"), []byte(" "))))
}

var tagPattern = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._/-]*[A-Za-z0-9])?$`)

func checkTags(tags []string) []wire.FieldError {
	if len(tags) > maxTags {
		return []wire.FieldError{{Field: "tags", Message: fmt.Sprintf("has at most %d", maxTags)}}
	}
	var wrong []wire.FieldError
	for i, tag := range tags {
		field := fmt.Sprintf("tags[%d]", i)
		if len(tag) > maxTag || !tagPattern.MatchString(tag) {
			wrong = append(wrong, wire.FieldError{Field: field, Message: fmt.Sprintf("is at most %d letters, digits, '.', '_', '/' or '-'", maxTag)})
		} else if slices.Contains(tags[:i], tag) {
			wrong = append(wrong, wire.FieldError{Field: field, Message: tag + " is named twice"})
		}
	}
	return wrong
}

// uploaded reads configData: a JSON object, or a string that holds one, as
// strictly as a file of Git is read.
func uploaded(raw json.RawMessage) (profile.Data, error) {
	text := []byte(raw)
	if len(text) == 0 || string(text) == "null" {
		return nil, invalidField("configData", "is required: a JSON object, or a string that holds one")
	}
	if text[0] == '"' {
		var inner string
		if err := json.Unmarshal(text, &inner); err != nil {
			return nil, invalidField("configData", "is not JSON: "+err.Error())
		}
		text = []byte(inner)
	}
	limit := profile.DefaultLimits().MaxBytes
	if len(text) > limit {
		return nil, &problem{
			status: http.StatusRequestEntityTooLarge, code: "PAYLOAD_TOO_LARGE",
			message: fmt.Sprintf("configData has %d bytes, at most %d are taken", len(text), limit),
			details: []wire.FieldError{{Field: "configData", Message: fmt.Sprintf("has at most %d bytes", limit)}},
		}
	}
	data, err := profile.DecodeData(text)
	if err != nil {
		return nil, invalidField("configData", "is "+err.Error())
	}
	if wrong := profile.CheckSecrets(data); len(wrong) > 0 {
		return nil, invalid("the secrets in configData cannot be opened", under("configData", wrong)...)
	}
	return data, nil
}

// fits judges data by the profile's schema, and gives the hash of the edition.
func (a *API) fits(c echo.Context, r profile.Record, data profile.Data) (hash string, err error) {
	if r.SchemaID == "" {
		return "", nil
	}
	edition, err := a.opts.Store.Schema(c.Request().Context(), r.SchemaID)
	if errors.Is(err, store.ErrNotFound) {
		return "", &problem{status: http.StatusNotFound, code: "NOT_FOUND", message: "schema " + r.SchemaID + " is not registered any more"}
	}
	if err != nil {
		return "", err
	}
	schema, err := edition.Compile()
	if err != nil {
		return "", err
	}
	began := time.Now()
	wrong := schema.Validate(data)
	a.validated(c.Request().Context(), began)
	if len(wrong) > 0 {
		return "", &problem{
			status: http.StatusUnprocessableEntity, code: "SCHEMA_VALIDATION_ERROR",
			message: fmt.Sprintf("configData does not satisfy %s %s", r.SchemaID, edition.Version),
			details: convert(wrong, func(e profile.FieldError) wire.FieldError { return wire.FieldError{Field: e.Path, Message: e.Message} }),
		}
	}
	return edition.Hash, nil
}

// sealed keeps the secrets that data holds as they are from being stored so.
func (a *API) sealed(c echo.Context, name string, data profile.Data) (profile.Data, error) {
	if a.opts.Secrets != nil && profile.HasSecrets(data) {
		kept, err := a.opts.Secrets.Seal(c.Request().Context(), name, data)
		return kept, notSealed(err)
	}
	if profile.HasSecretValues(data) {
		return nil, invalidField("configData", `holds {"type": "secret"} values, and this server has no master key to seal them: set one, or use {"$secret": "vault:path#key"}`)
	}
	return data, nil
}

// answerVersion answers with a version, without its data, and the tag of the whole.
func answerVersion(c echo.Context, status int, v profile.Version) error {
	tag, err := etagOf(wholeVersion(v))
	if err != nil {
		return err
	}
	c.Response().Header().Set(headerETag, tag)
	if status == http.StatusCreated {
		c.Response().Header().Set(echo.HeaderLocation, "/api/v1/configs/"+url.PathEscape(v.Profile)+"/versions/"+url.PathEscape(v.Number))
	}
	return c.JSON(status, wireVersion(v))
}

// patchVersion changes what is said about a version, whoever made it: its data
// never changes.
func (a *API) patchVersion(c echo.Context) error {
	var req wire.VersionPatch
	if err := decode(c, &req); err != nil {
		return err
	}
	if err := checkPatch(req); err != nil {
		return err
	}
	v, err := a.opts.Store.ChangeVersion(c.Request().Context(), c.Param("name"), c.Param("version"), by(c), func(v profile.Version) (profile.Version, error) {
		if err := matches(c, wholeVersion(v)); err != nil {
			return v, err
		}
		if req.Tags != nil {
			v.Tags = *req.Tags
		}
		if req.Deprecated != nil {
			v.Deprecated = *req.Deprecated
		}
		return v, nil
	})
	if err != nil {
		return err
	}
	return answerVersion(c, http.StatusOK, v)
}

func checkPatch(req wire.VersionPatch) error {
	var wrong []wire.FieldError
	if req.Tags != nil {
		wrong = checkTags(*req.Tags)
	}
	if req.Deprecated != nil && (len(*req.Deprecated) > maxDescription || !readable(*req.Deprecated)) {
		wrong = append(wrong, wire.FieldError{Field: "deprecated", Message: fmt.Sprintf("has at most %d bytes of text", maxDescription)})
	}
	if req.Tags == nil && req.Deprecated == nil {
		return invalid("nothing to change: give tags, deprecated or both")
	}
	if len(wrong) > 0 {
		return invalid("the version cannot be changed so", wrong...)
	}
	return nil
}

// deleteVersion removes a version that nothing refers to.
func (a *API) deleteVersion(c echo.Context) error {
	err := a.opts.Store.RemoveVersion(c.Request().Context(), c.Param("name"), c.Param("version"), by(c), func(k store.Kept, v profile.Version) error {
		if k.Record.Origin == profile.OriginGit {
			return managedByGit(k.Record)
		}
		return matches(c, wholeVersion(v))
	})
	if err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}
