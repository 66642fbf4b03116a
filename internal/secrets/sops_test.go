package secrets_test

import (
	"io/fs"
	"os"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/sluicehq/sluice/internal/secrets"
	"github.com/sluicehq/sluice/profile"
)

// repo is a repository of profiles in memory.
type repo map[string]string

func (r repo) ReadFile(path string) ([]byte, error) {
	text, ok := r[path]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return []byte(text), nil
}

func read(t testing.TB, name string) string {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func ages(t testing.TB) secrets.Ages {
	t.Helper()
	a, err := secrets.ParseAges(read(t, "age.key"))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func load(k profile.Keeper, files repo) (profile.Profile, error) {
	l := profile.NewLoader("", profile.Limits{})
	l.Keeper = k
	return l.Load(files, "payment.yaml")
}

// What sops itself wrote opens to what it was given, types and all.
func TestSopsFile(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"sops.yaml", "sops_mac_only_encrypted.yaml"} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			k := secrets.New(secrets.Options{Ages: ages(t), Boxes: newBoxes()})
			p, err := load(k, repo{"payment.yaml": read(t, file)})
			if err != nil {
				t.Fatal(err)
			}
			if stored := string(profile.Canonical(p.Data)); strings.Contains(stored, "canary-sops-7f3a") {
				t.Fatalf("the data holds the secret: %s", stored)
			}
			opened, err := k.Open(t.Context(), p.Name, p.Data)
			if err != nil {
				t.Fatal(err)
			}
			want := `{"database":{"host":"db.example.com","password":"canary-sops-7f3a","port_secret":5432},"enabled":true,` +
				`"limits":{"empty_token":"","share_secret":0.25,"strict_secret":true},"ratio":1.5,"timeout":"30s","tokens":["first-token","second: token"]}`
			if got := string(profile.Canonical(opened)); got != want {
				t.Errorf("opened %s\nwant   %s", got, want)
			}
			want = `{"database":{"host":"db.example.com","password":"***","port_secret":"***"},"enabled":true,` +
				`"limits":{"empty_token":"","share_secret":"***","strict_secret":"***"},"ratio":1.5,"timeout":"30s","tokens":["***","***"]}`
			if got := string(profile.Canonical(profile.Mask(p.Data))); got != want {
				t.Errorf("masked %s\nwant   %s", got, want)
			}
		})
	}
}

// Whoever writes to the repository cannot change what sops signed: each change
// is seen before anything is made of it.
func TestSopsFileThatWasChanged(t *testing.T) {
	t.Parallel()
	text := read(t, "sops.yaml")
	line := func(key string) string {
		for l := range strings.SplitSeq(text, "\n") {
			if strings.HasPrefix(strings.TrimSpace(l), key+":") {
				return l
			}
		}
		t.Fatalf("no line of %s", key)
		return ""
	}
	value := func(key string) string { _, v, _ := strings.Cut(line(key), ": "); return v }
	for name, c := range map[string]struct{ old, new, want string }{
		"a plain value":            {"timeout: 30s", "timeout: 31s", "not what its mac says"},
		"a value outside of data":  {"environment: Staging", "environment: Development", "not what its mac says"},
		"a value moved":            {value("port_secret"), value("password"), "port_secret: the value does not open"},
		"a value removed":          {line("share_secret") + "\n", "", "not what its mac says"},
		"a value in plain":         {value("password"), "hello", "not what its mac says"},
		"a value cut":              {"data:3bwNFpx4RWwboqRsSD279w==", "data:3bwNFpx4RWwboqRsSD27", "does not open"},
		"the mac of another time":  {`lastmodified: "2026-11-28T14:28:35Z"`, `lastmodified: "2026-11-28T14:28:36Z"`, "mac does not open"},
		"no mac":                   {line("mac") + "\n", "", "no lastmodified or no mac"},
		"only the encrypted count": {"    version: 3", "    mac_only_encrypted: true\n    version: 3", "not what its mac says"},
		"an encrypted name":        {"service: payment-service", "service: " + value("password"), "only values below data"},
		"key groups":               {"    version: 3", "    key_groups: []\n    version: 3", "key groups are not supported"},
		"no recipient":             {"    age:", "    pgp:", "no age recipient"},
		"no section":               {"\nsops:\n", "\nwas_sops:\n", "no section sops"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			changed := strings.Replace(text, c.old, c.new, 1)
			if changed == text {
				t.Fatalf("the file has no %q", c.old)
			}
			k := secrets.New(secrets.Options{Ages: ages(t), Boxes: newBoxes()})
			_, err := load(k, repo{"payment.yaml": changed})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "canary") {
				t.Errorf("the error holds the secret: %v", err)
			}
		})
	}
}

// Without the identity the file is refused here, and still checked elsewhere.
func TestSopsWithoutIdentity(t *testing.T) {
	t.Parallel()
	files := repo{"payment.yaml": read(t, "sops.yaml")}
	_, err := load(secrets.New(secrets.Options{Boxes: newBoxes()}), files)
	if err == nil || !strings.Contains(err.Error(), "sops_age_keys") {
		t.Errorf("%v, want the setting that is missing", err)
	}
	if _, err := load(nil, files); err != nil {
		t.Errorf("without any keeper: %v", err)
	}
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	other, err := secrets.ParseAges("# a comment\n" + identity.String() + "\n")
	if err != nil {
		t.Fatal(err)
	}
	_, err = load(secrets.New(secrets.Options{Ages: other, Boxes: newBoxes()}), files)
	if err == nil || !strings.Contains(err.Error(), "sops updatekeys") {
		t.Errorf("%v, want what to do", err)
	}
}

// A base may be encrypted too, and what lies over it replaces a secret whole.
func TestSopsBase(t *testing.T) {
	t.Parallel()
	k := secrets.New(secrets.Options{Ages: ages(t), Boxes: newBoxes()})
	p, err := load(k, repo{"base.yaml": read(t, "sops.yaml"), "payment.yaml": `apiVersion: sluice/v1
kind: ConfigProfile
name: payment-service.staging
service: payment-service
environment: Staging
extends: [base.yaml]
data:
  database: {password: {$secret: "env:SLUICE_SECRET_DB"}, port_secret: {from: elsewhere}}
`})
	if err != nil {
		t.Fatal(err)
	}
	if got := string(profile.Canonical(p.Data["database"].(map[string]any))); got != `{"host":"db.example.com","password":{"$secret":"env:SLUICE_SECRET_DB"},"port_secret":{"from":"elsewhere"}}` {
		t.Errorf("laid over: %s", got)
	}
	if n := len(profile.Secrets(p.Data)); n != 5 {
		t.Errorf("%d secrets, want the reference and four of the base", n)
	}
}

func FuzzSops(f *testing.F) {
	text := read(f, "sops.yaml")
	f.Add(text)
	f.Add(strings.Replace(text, "type:str]", "type:int]", 1))
	f.Add(strings.Replace(text, "iv:", "iv:AAAA", 1))
	k := secrets.New(secrets.Options{Ages: ages(f), Boxes: newBoxes()})
	f.Fuzz(func(t *testing.T, text string) {
		p, err := load(k, repo{"payment.yaml": text})
		if err != nil {
			return
		}
		opened, err := k.Open(t.Context(), p.Name, p.Data)
		if err != nil {
			return
		}
		if _, err := profile.DecodeData(profile.Canonical(opened)); err != nil {
			t.Errorf("what was opened is not data: %v", err)
		}
	})
}
