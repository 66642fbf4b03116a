package api_test

import (
	"context"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/api"
	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/reconciler"
	"github.com/sluicehq/sluice/store"
)

func file(name, environment, data string) string {
	return "apiVersion: sluice/v1\nkind: ConfigProfile\nname: " + name + "\nservice: shop\nenvironment: " + environment +
		"\nschema: " + schemaID + "\ndata: {" + data + "}\n"
}

func TestValidateFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.registered(wire.RegisterSchemaRequest{}, `{"properties": {"maxRetries": {"type": "integer", "maximum": 5}}}`)
	check := func(req wire.ValidateRequest) (out wire.ValidateResponse) {
		t.Helper()
		w.want(w.call(w.tokens[api.Developer], "POST", "/validate", req), 200).into(t, &out)
		return out
	}
	got := check(wire.ValidateRequest{Files: []wire.File{
		{Path: "shop/staging.yaml", Content: file("shop.staging", "Staging", "maxRetries: 3")},
		{Path: "shop/test.yaml", Content: file("shop.test", "Staging", "maxRetries: 9")},
		{Path: "README.md", Content: "# Shop"},
	}})
	if got.IsValid || len(got.Problems) != 1 || len(got.Profiles) != 2 {
		t.Fatalf("got %+v", got)
	}
	if p := got.Problems[0]; p.File != "shop/test.yaml" || p.Line != 7 || p.Column != 20 || p.Field != "$.data.maxRetries" || !strings.Contains(p.Message, "want 5") {
		t.Errorf("problem %+v", p)
	}
	if p := got.Profiles[0]; p.Name != "shop.staging" || !p.IsValid || p.Version != "1.0.0" || p.Bump != "none" {
		t.Errorf("profile %+v", p)
	}
	one := check(wire.ValidateRequest{Path: "shop/production.yaml", Content: file("shop.production", "Production", "maxRetries: 3")})
	if one.IsValid || !strings.Contains(one.Problems[0].Message, "is Draft") {
		t.Errorf("Production under a Draft: %+v", one)
	}
	if _, total, err := w.store.Profiles(t.Context(), store.ProfileFilter{}); err != nil || total != 0 {
		t.Errorf("%d profiles were made, %v", total, err)
	}
}

func TestValidateFilesRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	many := make([]wire.File, 2001)
	large := make([]wire.File, 9)
	for i := range many {
		many[i] = wire.File{Path: fmt.Sprintf("a/%d.yaml", i)}
	}
	for i := range large {
		large[i] = wire.File{Path: fmt.Sprintf("a/%d.yaml", i), Content: strings.Repeat("x", 1<<20)}
	}
	for rule, tc := range map[string]struct {
		req    wire.ValidateRequest
		status int
		code   string
	}{
		"nothing":          {wire.ValidateRequest{}, 400, "VALIDATION_ERROR"},
		"both ways":        {wire.ValidateRequest{Path: "a", Files: []wire.File{{Path: "b"}}}, 400, "VALIDATION_ERROR"},
		"a path twice":     {wire.ValidateRequest{Files: []wire.File{{Path: "a"}, {Path: "a"}}}, 400, "VALIDATION_ERROR"},
		"out of the tree":  {wire.ValidateRequest{Path: "../a"}, 400, "VALIDATION_ERROR"},
		"an absolute path": {wire.ValidateRequest{Path: "/a"}, 400, "VALIDATION_ERROR"},
		"no such source":   {wire.ValidateRequest{Path: "a", Source: "no-such"}, 404, "NOT_FOUND"},
		"too many":         {wire.ValidateRequest{Files: many}, 400, "VALIDATION_ERROR"},
		"a file too large": {wire.ValidateRequest{Path: "a", Content: strings.Repeat("x", 1<<20+1)}, 413, "PAYLOAD_TOO_LARGE"},
		"all too large":    {wire.ValidateRequest{Files: large}, 413, "PAYLOAD_TOO_LARGE"},
		"a body over it":   {wire.ValidateRequest{Path: "a", Content: strings.Repeat("x", 21<<20)}, 413, "PAYLOAD_TOO_LARGE"},
	} {
		t.Run(rule, func(t *testing.T) {
			w.want(w.call(w.tokens[api.Developer], "POST", "/validate", tc.req), tc.status, tc.code)
		})
	}
}

// Of profiles outside of its scope a token hears what the files say, and nothing
// of what is there.
func TestValidateFilesWithinAScope(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *api.Options) {
		o.Preview = func(_ context.Context, source string, files map[string][]byte, partial bool) (reconciler.Preview, error) {
			if source == "" {
				return reconciler.Preview{}, reconciler.ErrWhichSource
			}
			return reconciler.Preview{Passed: true, Profiles: []reconciler.PreviewProfile{
				{Name: "mine", Valid: true, Was: "1.0.0", Next: "2.0.0", Bump: profile.Major, Breaking: true},
				{Name: "theirs", Valid: true, Was: "3.0.0", Next: "3.0.1", Bump: profile.Patch, Guard: "secret"},
				{Name: "gone", Valid: true, Was: "4.0.0", Retires: true},
			}}, nil
		}
	})
	by := w.token(api.Developer, store.Token{Scope: profile.Scope{Profiles: []string{"mine"}}})
	w.want(w.call(by, "POST", "/validate", wire.ValidateRequest{Path: "a"}), 400, "VALIDATION_ERROR")
	got := w.want(w.call(by, "POST", "/validate", wire.ValidateRequest{Path: "a", Source: "configs"}), 200)
	want := `"profiles":[{"name":"mine","file":"","isValid":true,"currentVersion":"1.0.0","version":"2.0.0","bump":"major","breaking":true},{"name":"theirs","file":"","isValid":true,"bump":"none","breaking":false}]`
	if !strings.Contains(string(got.body), want) {
		t.Errorf("got %s", got.body)
	}
}

func FuzzSchemaBody(f *testing.F) {
	for _, body := range []string{
		`{"schemaId": "a", "schemaDefinition": {"type": "object"}, "version": "1.0.0", "compatibility": "Full"}`,
		`{"schemaId": "a", "schemaDefinition": "type: object\n"}`, `{"schemaId": "../a", "schemaDefinition": {}}`, `{"schemaDefinition": "\ud800"}`, `[]`, ``,
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		e, status, err := api.DecodeSchema(body)
		if err != nil {
			if status < 400 || status > 499 {
				t.Fatalf("%q is refused with %d: %v", body, status, err)
			}
			return
		}
		if _, err := e.Compile(); err != nil || e.ID == "" || e.Version == "" || e.Status != profile.SchemaDraft {
			t.Fatalf("%q became %+v, %v", body, e, err)
		}
	})
}

func FuzzTreeBody(f *testing.F) {
	for _, body := range []string{
		`{"files": [{"path": "a.yaml", "content": "a: 1"}]}`, `{"path": "a/b.yaml", "content": ""}`, `{"path": "../a"}`, `{"files": [{"path": "a"}, {"path": "a"}]}`, `{`,
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		files, status, err := api.DecodeTree(body)
		if err != nil && (status < 400 || status > 499) {
			t.Fatalf("%q is refused with %d: %v", body, status, err)
		}
		for path := range files {
			if !fs.ValidPath(path) {
				t.Fatalf("%q has the path %q", body, path)
			}
		}
	})
}
