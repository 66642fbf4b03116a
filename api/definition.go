package api

import (
	"bytes"
	"encoding/json"
	"maps"
	"strings"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/profile"
)

// definition is a profile's definition as a request gives it, under the names of
// the YAML format: one reader judges both.
type definition map[string]json.RawMessage

// set puts a value, unless it is its type's zero.
func set[T comparable](d definition, field string, value T) {
	var zero T
	if value == zero {
		return
	}
	if text, err := json.Marshal(value); err == nil {
		d[field] = text
	}
}

func (d definition) raw(field string, value json.RawMessage) {
	if len(value) > 0 {
		d[field] = value
	}
}

// strategy takes the name of one, or the whole object.
func (d definition) strategy(value json.RawMessage) {
	if bytes.HasPrefix(bytes.TrimSpace(value), []byte(`"`)) {
		value = json.RawMessage(`{"type":` + string(value) + `}`)
	}
	d.raw("strategy", value)
}

func (d definition) labels(labels map[string]string) {
	if len(labels) == 0 {
		return
	}
	if text, err := json.Marshal(map[string]any{"labels": labels}); err == nil {
		d["targets"] = text
	}
}

// read judges the definition; its error names the fields as the request does.
func (d definition) read() (profile.Profile, error) {
	text, err := json.Marshal(d)
	if err != nil {
		return profile.Profile{}, err
	}
	p, wrong := profile.ParseDefinition(text)
	if len(wrong) > 0 {
		return p, invalid("the profile is not well defined", fieldsOf(wrong, definitionFields)...)
	}
	return p, nil
}

// definitionFields are the fields that the API calls otherwise than the YAML format.
var definitionFields = map[string]string{
	"service": "serviceName", "schema": "schemaId", "strategy": "defaultStrategy", "targets.labels": "targetLabels",
}

// fieldsOf names fields as the request does: the path below "$", with what the
// request calls otherwise put in its place.
func fieldsOf(wrong []profile.FieldError, names map[string]string) []wire.FieldError {
	return convert(wrong, func(e profile.FieldError) wire.FieldError {
		path := strings.TrimPrefix(strings.TrimPrefix(e.Path, "$"), ".")
		for theirs, ours := range names {
			rest, ok := strings.CutPrefix(path, theirs)
			if ok && (rest == "" || rest[0] == '.' || rest[0] == '[') {
				path = ours + rest
				break
			}
		}
		return wire.FieldError{Field: path, Message: e.Message}
	})
}

// under puts paths below a field of the request.
func under(field string, wrong []profile.FieldError) []wire.FieldError {
	return convert(wrong, func(e profile.FieldError) wire.FieldError {
		return wire.FieldError{Field: field + strings.TrimPrefix(e.Path, "$"), Message: e.Message}
	})
}

// newDefinition is what POST /configs asks for.
func newDefinition(req wire.CreateConfigRequest) definition {
	if req.ServiceName == "" {
		req.ServiceName = req.Name
		if dot := strings.LastIndex(req.Name, "."); dot > 0 {
			req.ServiceName = req.Name[:dot]
		}
	}
	d := definition{}
	for field, value := range map[string]string{
		"name": req.Name, "description": req.Description, "service": req.ServiceName, "environment": req.Environment,
		"serviceType": req.ServiceType, "schema": req.SchemaID,
	} {
		set(d, field, value)
	}
	d.strategy(req.DefaultStrategy)
	d.raw("health", req.Health)
	d.raw("windows", req.Windows)
	d.raw("settings", req.Settings)
	d.labels(req.Labels)
	return d
}

// recordOf is the profile that a definition makes.
func recordOf(p profile.Profile, by string) profile.Record {
	return profile.Record{
		Name: p.Name, Description: p.Description, Service: p.Service, Environment: p.Environment, ServiceType: p.ServiceType,
		SchemaID: p.Schema, Targets: p.Targets, Strategy: p.Strategy, Health: p.Health, Windows: p.Windows, Settings: p.Settings,
		Origin: profile.OriginAPI, CreatedBy: by,
	}
}

// changed is the profile r as PUT /configs/{name} asks for it.
func changed(r profile.Record, req wire.UpdateConfigRequest) (profile.Record, error) {
	if err := sameIdentity(r, req); err != nil {
		return r, err
	}
	d := definition{}
	for field, value := range map[string]string{
		"name": r.Name, "service": r.Service, "environment": string(r.Environment), "schema": r.SchemaID, "serviceType": req.ServiceType,
	} {
		set(d, field, value)
	}
	if req.Description != nil {
		set(d, "description", *req.Description)
	}
	d.strategy(req.DefaultStrategy)
	d.raw("health", req.Health)
	d.raw("windows", req.Windows)
	d.raw("settings", req.Settings)
	if req.Labels != nil {
		d.labels(*req.Labels)
	}
	p, err := d.read()
	if err != nil {
		return r, err
	}
	for _, given := range []struct {
		is  bool
		put func()
	}{
		{req.Description != nil, func() { r.Description = p.Description }},
		{req.ServiceType != "", func() { r.ServiceType = p.ServiceType }},
		{req.DefaultStrategy != nil, func() { r.Strategy = p.Strategy }},
		{req.Health != nil, func() { r.Health = p.Health }},
		{req.Windows != nil, func() { r.Windows = p.Windows }},
		{req.Settings != nil, func() { r.Settings = maps.Clone(p.Settings) }},
		{req.Labels != nil, func() { r.Targets = p.Targets }},
	} {
		if given.is {
			given.put()
		}
	}
	return r, nil
}

// sameIdentity refuses to change what a profile is.
func sameIdentity(r profile.Record, req wire.UpdateConfigRequest) error {
	var wrong []wire.FieldError
	same := func(field, asked, is string) {
		if asked != is {
			wrong = append(wrong, wire.FieldError{Field: field, Message: "cannot change from " + is + ": make another profile"})
		}
	}
	for field, pair := range map[string][2]string{
		"name": {req.Name, r.Name}, "serviceName": {req.ServiceName, r.Service}, "environment": {req.Environment, string(r.Environment)},
	} {
		if pair[0] != "" {
			same(field, pair[0], pair[1])
		}
	}
	if req.SchemaID != nil {
		same("schemaId", *req.SchemaID, r.SchemaID)
	}
	if len(wrong) > 0 {
		return invalid("the profile cannot become another one", wrong...)
	}
	return nil
}
