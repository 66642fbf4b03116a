package fakeforge

import (
	"encoding/json"
	"net/http"
	"strings"
)

// gitRoutes are the Git data API: trees, commits and refs made by hand.
func (g github) gitRoutes(route func(string, string, func(*Forge, http.ResponseWriter, *http.Request))) {
	route("GET /git/commits/{sha}", "read", g.getCommit)
	route("POST /git/commits", "write", g.createCommit)
	route("POST /git/trees", "write", g.createTree)
	route("GET /git/ref/{ref...}", "read", g.getRef)
	route("POST /git/refs", "write", g.createRef)
	route("PATCH /git/refs/{ref...}", "write", g.updateRef)
}

func (g github) gitCommitJSON(f *Forge, sha string) map[string]any {
	shown, _ := f.fixed("log", "-1", "--format=%T%n%P%n%an%n%B", sha) // the caller resolved it
	lines := strings.SplitN(shown, "\n", 4)
	for len(lines) < 4 {
		lines = append(lines, "")
	}
	tree, parents, name, message := lines[0], lines[1], lines[2], lines[3]
	list := []any{}
	for p := range strings.FieldsSeq(parents) {
		list = append(list, map[string]any{"sha": p})
	}
	return map[string]any{
		"sha": sha, "tree": map[string]any{"sha": tree}, "message": strings.TrimRight(message, "\n"), "parents": list,
		"author": map[string]any{"name": name},
	}
}

func (g github) getCommit(f *Forge, w http.ResponseWriter, r *http.Request) {
	sha := f.resolve(r.PathValue("sha"))
	if sha == "" || sha != r.PathValue("sha") {
		g.refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	reply(w, http.StatusOK, g.gitCommitJSON(f, sha))
}

func (g github) createCommit(f *Forge, w http.ResponseWriter, r *http.Request) {
	var in struct {
		Message *string  `json:"message"`
		Tree    string   `json:"tree"`
		Parents []string `json:"parents"`
	}
	if !g.decode(w, r, &in) {
		return
	}
	if in.Message == nil || *in.Message == "" {
		g.invalid(w, "Commit", "message", "missing_field", "")
		return
	}
	args := []string{"commit-tree", in.Tree}
	for _, p := range in.Parents {
		if f.resolve(p) == "" {
			g.refuse(w, http.StatusUnprocessableEntity, "Parent SHA does not exist or is not a commit object")
			return
		}
		args = append(args, "-p", p)
	}
	sha, err := f.gitInput(*in.Message, author(login(r)), args...)
	if err != nil {
		g.refuse(w, http.StatusUnprocessableEntity, "Tree SHA does not exist or is not a tree object")
		return
	}
	reply(w, http.StatusCreated, g.gitCommitJSON(f, sha))
}

func (g github) createTree(f *Forge, w http.ResponseWriter, r *http.Request) {
	var in struct {
		Base string `json:"base_tree"`
		Tree []struct {
			Path    string          `json:"path"`
			Mode    string          `json:"mode"`
			Type    string          `json:"type"`
			SHA     json.RawMessage `json:"sha"`
			Content *string         `json:"content"`
		} `json:"tree"`
	}
	if !g.decode(w, r, &in) {
		return
	}
	if len(in.Tree) == 0 {
		g.refuse(w, http.StatusUnprocessableEntity, "Invalid tree info")
		return
	}
	files := map[string]*string{}
	for _, e := range in.Tree {
		deleted := string(e.SHA) == "null"
		switch {
		case e.Path == "" || strings.HasPrefix(e.Path, "/") || strings.Contains("/"+e.Path+"/", "/../"):
			g.refuse(w, http.StatusUnprocessableEntity, "tree.path contains a malformed path component")
			return
		case e.Mode != "100644" && e.Mode != "100755":
			g.refuse(w, http.StatusUnprocessableEntity, "Must supply a valid tree.mode")
			return
		case deleted && !f.has(in.Base, e.Path):
			g.refuse(w, http.StatusUnprocessableEntity, "GitRPC::BadObjectState")
			return
		case !deleted && e.Content == nil:
			g.refuse(w, http.StatusUnprocessableEntity, "Must supply either tree.sha or tree.content")
			return
		}
		files[e.Path] = e.Content
	}
	if in.Base != "" {
		if _, err := f.git("cat-file", "-e", in.Base+"^{tree}"); err != nil {
			g.refuse(w, http.StatusUnprocessableEntity, "base_tree is not a valid tree oid")
			return
		}
	}
	tree, err := f.tree(in.Base, files)
	if err != nil {
		g.refuse(w, http.StatusUnprocessableEntity, "GitRPC::BadObjectState")
		return
	}
	reply(w, http.StatusCreated, map[string]any{"sha": tree, "truncated": false})
}

func refJSON(ref, sha string) map[string]any {
	return map[string]any{"ref": ref, "object": map[string]any{"type": "commit", "sha": sha}}
}

func (g github) getRef(f *Forge, w http.ResponseWriter, r *http.Request) {
	ref := "refs/" + r.PathValue("ref")
	sha := f.resolve(ref)
	if sha == "" {
		g.refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	reply(w, http.StatusOK, refJSON(ref, sha))
}

func (g github) createRef(f *Forge, w http.ResponseWriter, r *http.Request) {
	var in struct {
		Ref string `json:"ref"`
		SHA string `json:"sha"`
	}
	if !g.decode(w, r, &in) {
		return
	}
	_, badName := f.git("check-ref-format", in.Ref)
	switch {
	case !strings.HasPrefix(in.Ref, "refs/") || strings.Count(in.Ref, "/") < 2 || badName != nil:
		g.refuse(w, http.StatusUnprocessableEntity, in.Ref+" is not a valid ref name.")
	case f.resolve(in.SHA) == "":
		g.refuse(w, http.StatusUnprocessableEntity, "Object does not exist")
	case f.resolve(in.Ref) != "":
		g.refuse(w, http.StatusUnprocessableEntity, "Reference already exists")
	default:
		g.setRef(f, w, in.Ref, in.SHA, http.StatusCreated)
	}
}

func (g github) updateRef(f *Forge, w http.ResponseWriter, r *http.Request) {
	var in struct {
		SHA   string `json:"sha"`
		Force bool   `json:"force"`
	}
	if !g.decode(w, r, &in) {
		return
	}
	ref := "refs/" + r.PathValue("ref")
	old := f.resolve(ref)
	_, behind := f.git("merge-base", "--is-ancestor", old, in.SHA)
	switch {
	case old == "":
		g.refuse(w, http.StatusUnprocessableEntity, "Reference does not exist")
	case f.resolve(in.SHA) == "":
		g.refuse(w, http.StatusUnprocessableEntity, "Object does not exist")
	case behind != nil && !in.Force:
		g.refuse(w, http.StatusUnprocessableEntity, "Update is not a fast forward")
	default:
		g.setRef(f, w, ref, in.SHA, http.StatusOK)
	}
}

func (g github) setRef(f *Forge, w http.ResponseWriter, ref, sha string, status int) {
	if _, err := f.git("update-ref", ref, sha); err != nil {
		g.refuse(w, http.StatusUnprocessableEntity, "Reference cannot be updated")
		return
	}
	f.refresh()
	reply(w, status, refJSON(ref, sha))
}
