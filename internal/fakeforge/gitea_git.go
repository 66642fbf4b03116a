package fakeforge

import (
	"encoding/base64"
	"net/http"
	"strings"
)

func (g gitea) getCommit(f *Forge, w http.ResponseWriter, r *http.Request) {
	sha := r.PathValue("sha")
	if !objectName.MatchString(sha) {
		g.refuse(w, http.StatusUnprocessableEntity, "no valid ref or sha: "+sha)
		return
	}
	if sha = f.resolve(sha); sha == "" {
		g.missing(w)
		return
	}
	reply(w, http.StatusOK, map[string]any{"sha": sha, "url": f.URL + "/api/v1/repos/" + f.Repository + "/git/commits/" + sha})
}

func (g gitea) getRef(f *Forge, w http.ResponseWriter, r *http.Request) {
	name := "refs/" + r.PathValue("ref")
	sha := f.resolve(name)
	if sha == "" {
		g.missing(w)
		return
	}
	reply(w, http.StatusOK, map[string]any{"ref": name, "url": "", "object": map[string]any{"type": "commit", "sha": sha, "url": ""}})
}

func (g gitea) branchJSON(branch, tip string) map[string]any {
	return map[string]any{"name": branch, "commit": map[string]any{"id": tip, "message": "", "url": ""}, "protected": false}
}

func (g gitea) getBranch(f *Forge, w http.ResponseWriter, r *http.Request) {
	branch := r.PathValue("branch")
	tip := f.resolve("refs/heads/" + branch)
	if tip == "" {
		g.missing(w)
		return
	}
	reply(w, http.StatusOK, g.branchJSON(branch, tip))
}

func (g gitea) createBranch(f *Forge, w http.ResponseWriter, r *http.Request) {
	var in struct {
		Name string `json:"new_branch_name"`
		From string `json:"old_ref_name"`
	}
	if !g.decode(w, r, &in) {
		return
	}
	from := f.resolve(in.From)
	switch {
	case in.Name == "" || len(in.Name) > 100:
		g.refuse(w, http.StatusUnprocessableEntity, "[BranchName]: MaxSize")
	case from == "":
		g.refuse(w, http.StatusNotFound, "The old branch does not exist")
	case f.resolve("refs/heads/"+in.Name) != "":
		g.refuse(w, http.StatusConflict, "The branch already exists.")
	default:
		if _, err := f.git("update-ref", "refs/heads/"+in.Name, from); err != nil {
			g.broken(w)
			return
		}
		reply(w, http.StatusCreated, g.branchJSON(in.Name, from))
	}
}

// blob is the object of a file at a commit, "" for none.
func (f *Forge) blob(commit, path string) string {
	out, err := f.git("rev-parse", "--verify", "--quiet", commit+":"+path)
	if err != nil {
		return ""
	}
	return out
}

func (g gitea) getContents(f *Forge, w http.ResponseWriter, r *http.Request) {
	commit, path := f.resolve(r.URL.Query().Get("ref")), r.PathValue("path")
	if commit == "" || f.blob(commit, path) == "" {
		g.missing(w)
		return
	}
	content, err := f.git("cat-file", "blob", commit+":"+path)
	if err != nil {
		reply(w, http.StatusOK, []any{}) // a folder
		return
	}
	reply(w, http.StatusOK, map[string]any{
		"name": path[strings.LastIndex(path, "/")+1:], "path": path, "sha": f.blob(commit, path), "type": "file", "size": len(content),
		"encoding": "base64", "content": base64.StdEncoding.EncodeToString([]byte(content)),
	})
}

// changeFiles makes one commit on a branch, and refuses what does not fit what
// is there, file by file.
func (g gitea) changeFiles(f *Forge, w http.ResponseWriter, r *http.Request) {
	var in struct {
		Branch    string `json:"branch"`
		NewBranch string `json:"new_branch"`
		Message   string `json:"message"`
		Files     []struct {
			Operation string `json:"operation"`
			Path      string `json:"path"`
			Content   string `json:"content"`
			SHA       string `json:"sha"`
		} `json:"files"`
	}
	if !g.decode(w, r, &in) {
		return
	}
	if in.NewBranch == "" {
		in.NewBranch = in.Branch
	}
	tip := f.resolve("refs/heads/" + in.Branch)
	switch {
	case tip == "":
		g.refuse(w, http.StatusNotFound, "branch does not exist [name: "+in.Branch+"]")
		return
	case in.NewBranch != in.Branch && f.resolve("refs/heads/"+in.NewBranch) != "":
		g.refuse(w, http.StatusUnprocessableEntity, "branch already exists [name: "+in.NewBranch+"]")
		return
	case len(in.Files) == 0:
		g.refuse(w, http.StatusUnprocessableEntity, "[Files]: Required")
		return
	}
	files := map[string]*string{}
	for _, file := range in.Files {
		there := f.blob(tip, file.Path)
		content, err := base64.StdEncoding.DecodeString(file.Content)
		switch {
		case err != nil:
			g.refuse(w, http.StatusUnprocessableEntity, err.Error())
			return
		case file.Operation != "create" && file.Operation != "update" && file.Operation != "delete":
			g.broken(w)
			return
		case file.Operation == "create" && there != "":
			g.refuse(w, http.StatusUnprocessableEntity, "repository file already exists [path: "+file.Path+"]")
			return
		case file.Operation != "create" && there == "":
			g.refuse(w, http.StatusNotFound, "repository file does not exist [path: "+file.Path+"]")
			return
		case file.Operation != "create" && file.SHA == "":
			g.refuse(w, http.StatusUnprocessableEntity, "a SHA or commit ID must be proved when updating a file")
			return
		case file.Operation != "create" && file.SHA != there:
			g.refuse(w, http.StatusUnprocessableEntity, "file sha does not match [given: "+file.SHA+", expected: "+there+"]")
			return
		}
		files[file.Path] = nil
		if file.Operation != "delete" {
			files[file.Path] = new(string(content))
		}
	}
	commit, err := f.commit(tip, login(r), in.Message, files)
	if err != nil {
		g.broken(w)
		return
	}
	if _, err := f.git("update-ref", "refs/heads/"+in.NewBranch, commit); err != nil {
		g.broken(w)
		return
	}
	f.refresh()
	reply(w, http.StatusCreated, map[string]any{"files": []any{}, "commit": map[string]any{"sha": commit}, "verification": nil})
}
