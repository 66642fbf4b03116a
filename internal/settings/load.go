package settings

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
)

// Input is where settings come from. Everything may be left out.
type Input struct {
	File     []byte // sluice.yaml
	FileName string // for errors
	Env      func(name string) string
	Flags    map[string]string // flags that were given, by name
	// ReadFile reads the files that *_file settings name.
	ReadFile func(name string) ([]byte, error)
}

// Load puts the settings together and checks them. It does no I/O but through
// in.ReadFile. Errors name the key, the variable or the flag at fault and join
// all that is wrong.
func Load(in Input) (Settings, error) {
	s := defaults()
	if err := decodeFile(&s, in); err != nil {
		return Settings{}, err
	}
	var errs []error
	single := newSource()
	given := false
	for _, layer := range []struct {
		name   func(Field) string
		lookup func(string) (string, bool)
	}{
		{func(f Field) string { return f.Env }, in.env},
		{func(f Field) string { return "--" + f.Flag }, in.flag},
	} {
		set := map[string]string{} // secret key -> what set it in this layer
		for _, f := range Fields() {
			name := layer.name(f)
			text, ok := layer.lookup(name)
			if !ok {
				continue
			}
			var err error
			if f.inFile {
				err = in.assign(reflect.ValueOf(&s).Elem(), f.Key, text, set)
			} else {
				given = true
				err = in.assignSource(&single, f.Key, text)
			}
			if err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", name, err))
			}
		}
	}
	if given {
		errs = append(errs, s.addSource(single))
	}
	if err := errors.Join(errs...); err != nil {
		return Settings{}, err
	}
	s.complete()
	return s, s.Validate()
}

func (in Input) env(name string) (string, bool) {
	if in.Env == nil {
		return "", false
	}
	v := in.Env(name)
	return v, v != ""
}

func (in Input) flag(name string) (string, bool) {
	v, ok := in.Flags[strings.TrimPrefix(name, "--")]
	return v, ok
}

func defaults() Settings {
	var s Settings
	setDefaults(reflect.ValueOf(&s).Elem())
	return s
}

func newSource() Source {
	var s Source
	setDefaults(reflect.ValueOf(&s).Elem())
	return s
}

// setDefaults fills a struct from its tags; a default that does not parse is a
// mistake in this package, which every test would meet.
func setDefaults(v reflect.Value) {
	for _, f := range fieldsOf(v.Type()) {
		field := v.FieldByIndex(f.index)
		switch {
		case f.Kind == "map":
			setDefaults(field)
		case f.Default != "":
			if err := setText(field, f.Kind, f.Default); err != nil {
				panic(fmt.Sprintf("default of %s: %v", f.Key, err))
			}
		}
	}
}

// assign sets one key of a struct. key_file sets key from a file; both in one
// layer is a mistake that is named, not guessed at.
func (in Input) assign(v reflect.Value, key, text string, set map[string]string) error {
	for _, f := range fieldsOf(v.Type()) {
		if f.Key != key && (!f.Secret || f.Key+"_file" != key) {
			continue
		}
		if f.Secret && text != "" {
			if other, twice := set[f.Key]; twice && other != key {
				return fmt.Errorf("%s and %s are both given, give one", other, key)
			}
			set[f.Key] = key
		}
		if f.Key == key {
			return setText(v.FieldByIndex(f.index), f.Kind, text)
		}
		if text == "" {
			return nil
		}
		secret, err := in.secretFile(text)
		if err != nil {
			return err
		}
		v.FieldByIndex(f.index).SetString(secret)
		return nil
	}
	return fmt.Errorf("unknown key %q", key)
}

// secretFile reads a secret from its file, without the line break that editors
// leave behind. An empty file is an error: it would mean "no secret".
func (in Input) secretFile(name string) (string, error) {
	if in.ReadFile == nil {
		return "", fmt.Errorf("%s cannot be read here", name)
	}
	content, err := in.ReadFile(name)
	if err != nil {
		return "", err
	}
	secret := strings.TrimRight(string(content), "\r\n")
	if secret == "" {
		return "", fmt.Errorf("%s is empty", name)
	}
	return secret, nil
}

func (in Input) assignSource(s *Source, key, text string) error {
	switch key = strings.TrimPrefix(key, "source_"); key {
	case "username", "token_file":
		return in.assign(reflect.ValueOf(&s.Auth).Elem(), key, text, map[string]string{})
	default:
		return in.assign(reflect.ValueOf(s).Elem(), key, text, map[string]string{})
	}
}

// addSource adds the source that flags describe, in the place of one with the
// same id: what the file says stays watched.
func (s *Settings) addSource(single Source) error {
	if single.URL == "" {
		return errors.New("--source-url is needed with the other source flags (or SLUICE_SOURCE_URL)")
	}
	if single.ID == "" {
		single.ID = idFrom(single.URL)
	}
	for i := range s.Sources {
		if s.Sources[i].ID == single.ID {
			s.Sources[i] = single
			return nil
		}
	}
	s.Sources = append(s.Sources, single)
	return nil
}

var notID = regexp.MustCompile(`[^a-z0-9._-]+`)

// idFrom makes a source's id from its URL: https://host/acme/Configs.git is configs.
func idFrom(url string) string {
	base := path.Base(strings.TrimRight(filepath.ToSlash(url), "/"))
	if i := strings.LastIndexByte(base, ':'); i >= 0 {
		base = base[i+1:]
	}
	id := notID.ReplaceAllString(strings.ToLower(strings.TrimSuffix(base, ".git")), "-")
	if id = strings.Trim(id, "-._"); id == "" {
		return "source"
	}
	return id
}

// complete fills in what follows from other settings.
func (s *Settings) complete() {
	if s.DatabaseURL == "" && s.DataDir != "" {
		s.DatabaseURL = Secret("sqlite:" + filepath.Join(s.DataDir, "sluice.db"))
	}
	for i := range s.Sources {
		if s.Sources[i].PollInterval == 0 {
			s.Sources[i].PollInterval = s.PollInterval
		}
		s.Sources[i].Forge.complete(s.Sources[i].URL)
	}
}
