package reconciler

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/gitsource"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

// refuse remembers that a file makes no version, and says so on the commit
// when the commit has to do with it.
func (p *planner) refuse(obs observation, s sighting, message string) {
	message = printable(message)
	was, had := p.problems[s.Path]
	if had && was.Message == message && !s.Touched && !s.Rests && !obs.Whole {
		return
	}
	name := cmp.Or(s.Profile.Name, p.ownerOf(s.Path))
	context := rollout.Context(cmp.Or(name, printable(s.Path)))
	if len(s.Problems) > 0 && len(p.claims.sound(name)) > 0 {
		context = rollout.Context(printable(s.Path)) // the name's own context speaks of the sound file that bears it
	}
	p.problems[s.Path] = profile.SourceProblem{
		Source: p.st.Source, Path: s.Path, Profile: name, Commit: obs.Commit.SHA, Message: message,
	}
	if !obs.Again { // the commit is not to blame
		p.say(obs.Commit.SHA, context, rollout.StatusFailure, message)
	}
	p.record(FactProfileInvalid, "profile", cmp.Or(name, s.Path), author(obs.Commit), map[string]any{
		"path": s.Path, "commit": obs.Commit.SHA, "problem": message,
	})
}

// twinMessage says that sound files bear one name: which of them is meant is
// never guessed.
func twinMessage(file, name string, twins []string) string {
	others := slices.DeleteFunc(slices.Clone(twins), func(f string) bool { return f == file })
	return fmt.Sprintf("%s: profile %s is also defined in %s", file, name, strings.Join(others, ", "))
}

// accept takes over a sound file: its definition, and a version when its
// effective data differs from the version before it.
func (p *planner) accept(obs observation, s sighting) {
	name := s.Profile.Name
	if owner, taken := p.st.Foreign[name]; taken {
		if !p.st.abandoned(owner) {
			p.refuse(obs, s, fmt.Sprintf("%s: profile %s is already managed by %s", s.Path, name, managerOf(owner)))
			return
		}
		p.takeOver(name, owner)
	}
	w := p.work(name)
	number, err := nextVersion(w, s)
	if err != nil {
		at := s.VersionAt
		at.Message = err.Error()
		p.refuse(obs, s, at.Error())
		return
	}
	w.edition = s.Edition
	was, mended := p.problems[s.Path]
	delete(p.problems, s.Path)
	changed := p.define(w, obs.Commit, s)
	if number != "" {
		p.makeVersion(w, obs.Commit, s, number)
		return
	}
	if undeployed := mended && isNotDeployed(was); (undeployed || changed.returned) && !p.runs(w) {
		if !w.candidate {
			w.candidate, w.commit = true, obs.Commit
		}
		w.blame = w.blame || s.Touched || s.Rests
		return
	}
	if s.Touched || mended || changed != (change{}) {
		p.sayUnchanged(w, obs.Commit, changed)
	}
}

// runs says whether the profile's latest version is what runs, or on its way.
func (p *planner) runs(w *work) bool {
	active := p.st.Active[w.rec.Name]
	return w.latest.Number == w.rec.CurrentVersion ||
		active.Kind == rollout.Forward && active.Version == w.latest.Number && active.State != rollout.RollingBack
}

// nextVersion numbers the version that a sound file makes, "" when its
// effective data is that of the latest version.
func nextVersion(w *work, s sighting) (string, error) {
	if w.latest == nil {
		return profile.NextVersion("", s.Profile.Version, profile.Diff{})
	}
	if w.latest.Hash == s.Hash {
		return "", nil
	}
	return profile.NextVersion(w.latest.Number, s.Profile.Version, profile.Compare(w.latest.Data, s.Profile.Data))
}

// change says what a commit changed of a known profile beside its data.
type change struct {
	definition bool
	movedFrom  string
	returned   bool
}

// define brings the profile's record in line with its file.
func (p *planner) define(w *work, c gitsource.Commit, s sighting) change {
	before, known := w.rec, w.rec.Name != ""
	p.vacate(w)
	w.rec = defined(before, s.Profile)
	p.settleAt(w, s.Path)
	w.rec.Origin, w.rec.Source = profile.OriginGit, p.st.Source
	w.rec.Retired = false
	if !known {
		w.put = true
		w.rec.CreatedBy = author(c)
		p.record(FactProfileCreated, "profile", w.rec.Name, w.rec.CreatedBy, map[string]any{"path": s.Path, "commit": c.SHA})
		return change{}
	}
	var changed change
	if before.Path != "" && before.Path != s.Path { // what the API managed lay nowhere
		changed.movedFrom = before.Path
		p.record(FactProfileMoved, "profile", w.rec.Name, author(c), map[string]any{
			"from": before.Path, "to": s.Path, "commit": c.SHA,
		})
	}
	if before.Retired || p.awaitsRetirement(w.rec.Name) && !w.returned {
		changed.returned, w.returned = true, true
		p.record(FactProfileReturned, "profile", w.rec.Name, author(c), map[string]any{"path": s.Path, "commit": c.SHA})
	}
	if w.gone {
		w.gone = false
		p.say(w.goneBy.SHA, rollout.Context(w.rec.Name), rollout.StatusSuccess, "the file left Git and came back in the same push")
	}
	if !sameDefinition(before, w.rec) {
		changed.definition = true
		p.record(FactProfileDefined, "profile", w.rec.Name, author(c), map[string]any{"path": s.Path, "commit": c.SHA})
	}
	if changed != (change{}) || !slices.Equal(before.Dependencies, w.rec.Dependencies) {
		w.put = true
	}
	return changed
}

// defined returns the record with the file's definition.
func defined(r profile.Record, f profile.Profile) profile.Record {
	r.Name, r.Description, r.Service = f.Name, f.Description, f.Service
	r.Environment, r.ServiceType, r.SchemaID = f.Environment, f.ServiceType, f.Schema
	r.Targets, r.Strategy, r.Health, r.Windows, r.Settings = f.Targets, f.Strategy, f.Health, f.Windows, f.Settings
	r.Path, r.Dependencies = f.Path, f.Dependencies
	return r
}

// sameDefinition compares what two records say of the profile, in the form in
// which it is stored and shown. Where the file lies is no part of it.
func sameDefinition(a, b profile.Record) bool {
	return bytes.Equal(definition(a), definition(b)) &&
		bytes.Equal(profile.Canonical(a.Settings), profile.Canonical(b.Settings))
}

func definition(r profile.Record) []byte {
	src, err := json.Marshal([]any{
		r.Description, r.Service, r.SchemaID, r.Environment, r.ServiceType, r.Targets, r.Strategy, r.Health, r.Windows,
	})
	if err != nil {
		panic(fmt.Sprintf("encode the definition of %s: %v", r.Name, err)) // plain values always encode
	}
	return src
}
