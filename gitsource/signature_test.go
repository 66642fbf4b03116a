package gitsource_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"

	"github.com/sluicehq/sluice/gitsource"
)

const emptyTree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

// objects puts raw commits into a repository as they are and returns their ids; all of them are behind main.
func (r *repo) objects(raw ...string) []string {
	r.t.Helper()
	r.git("mktree")
	args := []string{"commit-tree", "-m", "all of them", emptyTree}
	var ids []string
	for _, content := range raw {
		id := r.gitInput(content, "hash-object", "-t", "commit", "-w", "--literally", "--stdin")
		ids, args = append(ids, id), append(args, "-p", id)
	}
	r.git("update-ref", "refs/heads/main", r.git(args...))
	return ids
}

func keyring(t *testing.T, gpg, ssh string) *gitsource.Keyring {
	t.Helper()
	k, err := gitsource.ParseKeyring([]byte(gpg), []byte(ssh))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// refusal is why one commit alone does not count as signed, "" when it does.
func refusal(t *testing.T, m *gitsource.Mirror, k *gitsource.Keyring, sha string) string {
	t.Helper()
	bad, err := m.Unverified(t.Context(), nil, sha, k)
	if err != nil {
		t.Fatal(err)
	}
	if len(bad) == 0 {
		return ""
	}
	if len(bad) > 1 || bad[0].Commit != sha {
		t.Fatalf("Unverified = %+v", bad)
	}
	return bad[0].Reason
}

// What git really writes with gpg and ssh-keygen.
func TestSignaturesThatGitMade(t *testing.T) {
	t.Parallel()
	file := func(name string) string {
		b, err := os.ReadFile(filepath.Join("testdata", "signed", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	want := map[string]string{
		"gpg-rsa": "", "gpg-ed25519": "", "ssh-ed25519": "", "ssh-rsa": "", "ssh-ecdsa": "",
		"gpg-sha1": "has a signature of SHA-1 or worse", "gpg-expired": "is signed by a key that has expired",
	}
	k := keyring(t, file("keys.asc"), file("allowed_signers"))
	r := newRepo(t)
	var names, raw []string
	for name := range want {
		names, raw = append(names, name), append(raw, file(name+".commit"))
		names, raw = append(names, name+", changed"), append(raw, strings.Replace(file(name+".commit"), "author Ada", "author Eve", 1))
	}
	ids := r.objects(raw...)
	m := open(t, r.options())
	fetch(t, m)
	for i, name := range names {
		expected, sound := want[name]
		if got := refusal(t, m, k, ids[i]); sound && got != expected || !sound && got == "" {
			t.Errorf("%s: %q, want %q", name, got, expected)
		}
	}
}

// signers are keys made for one test.
type signers struct {
	t    testing.TB
	ada  *openpgp.Entity // of ada@example.com, by GPG
	bob  ssh.Signer      // of bob@example.com, by SSH
	rsa  ssh.Signer
	old  ssh.Signer // of file@example.com for files, and of old@example.com until 2020
	gpg  string     // the public keys
	keys string     // the allowed signers
}

func newSigners(t testing.TB) *signers {
	s := &signers{t: t, ada: newGPG(t, "ada@example.com"), bob: newSSH(t), old: newSSH(t)}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	if s.rsa, err = ssh.NewSignerFromKey(key); err != nil {
		t.Fatal(err)
	}
	s.gpg = publicGPG(t, s.ada)
	s.keys = "# people\n\nbob@example.com,robert@*.example.com,!robert@evil.example.com " + authorized(s.bob) +
		"\nrsa@example.com namespaces=\"file,git\",valid-after=20200101,valid-before=\"20900101Z\" " + authorized(s.rsa) + " a comment\n" +
		"file@example.com namespaces=\"file\" " + authorized(s.old) + "\nold@example.com valid-before=\"20200101\" " + authorized(s.old) + "\n"
	return s
}

func newGPG(t testing.TB, email string) *openpgp.Entity {
	t.Helper()
	e, err := openpgp.NewEntity("Somebody", "", email, &packet.Config{
		Algorithm: packet.PubKeyAlgoEdDSA, Time: func() time.Time { return time.Unix(1_767_000_000, 0) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func publicGPG(t testing.TB, e *openpgp.Entity) string {
	t.Helper()
	var b strings.Builder
	w, err := armor.Encode(&b, openpgp.PublicKeyType, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(e.Serialize(w), w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.String() + "\n"
}

func newSSH(t testing.TB) ssh.Signer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func authorized(s ssh.Signer) string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(s.PublicKey())))
}

// byGPG signs and returns the armored signature.
func (s *signers) byGPG(e *openpgp.Entity, payload string) string {
	s.t.Helper()
	var b strings.Builder
	err := openpgp.ArmoredDetachSign(&b, e, strings.NewReader(payload), &packet.Config{Time: func() time.Time { return time.Unix(1_767_323_046, 0) }})
	if err != nil {
		s.t.Fatal(err)
	}
	return b.String() + "\n"
}

// asText signs by GPG in the way of mails, where line breaks do not count.
func (s *signers) asText(payload string) string {
	s.t.Helper()
	var b strings.Builder
	err := openpgp.ArmoredDetachSignText(&b, s.ada, strings.NewReader(payload), &packet.Config{Time: func() time.Time { return time.Unix(1_767_323_046, 0) }})
	if err != nil {
		s.t.Fatal(err)
	}
	return b.String() + "\n"
}

func (s *signers) bySSH(key ssh.Signer, payload, namespace string) string {
	s.t.Helper()
	sig, err := sshsig.Sign(strings.NewReader(payload), key, sshsig.HashSHA512, namespace)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(sshsig.Armor(sig))
}

// bySHA1 signs as old clients do with RSA keys.
func (s *signers) bySHA1(payload string) string {
	s.t.Helper()
	sum := sha512.Sum512([]byte(payload))
	data := append([]byte("SSHSIG"), ssh.Marshal(struct{ Namespace, Reserved, Algorithm, Hash string }{"git", "", "sha512", string(sum[:])})...)
	sig, err := s.rsa.(ssh.AlgorithmSigner).SignWithAlgorithm(rand.Reader, data, ssh.KeyAlgoRSA)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(sshsig.Armor(&sshsig.Signature{
		Version: 1, PublicKey: s.rsa.PublicKey(), Namespace: "git", HashAlgorithm: sshsig.HashSHA512, Signature: sig,
	}))
}

// payload is a commit without its signature.
func payload(email string, parents ...string) string {
	head := "tree " + emptyTree + "\n"
	for _, p := range parents {
		head += "parent " + p + "\n"
	}
	return head + "author Eve <eve@example.com> 1767323045 +0000\ncommitter Somebody <" + email + "> 1767323046 +0000\n\nmessage\n\nbody\n"
}

// withHeader puts a header in front of a commit's message.
func withHeader(commit, key, value string) string {
	head, message, _ := strings.Cut(commit, "\n\n")
	value = strings.TrimSuffix(strings.ReplaceAll(value, "\n", "\n "), " ")
	return head + "\n" + key + " " + strings.TrimSuffix(value, "\n") + "\n\n" + message
}

func TestSignaturesThatDoNotCount(t *testing.T) {
	t.Parallel()
	s := newSigners(t)
	ada, bob := payload("ada@example.com"), payload("bob@example.com")
	gpg := func(p string) string { return s.byGPG(s.ada, p) }
	git := func(p string) string { return s.bySSH(s.bob, p, "git") }
	signed := func(p string, sign func(string) string) string { return withHeader(p, "gpgsig", sign(p)) }
	twoPackets := func(p string) string {
		one, two := dearmor(t, gpg(p)), dearmor(t, s.byGPG(newGPG(t, "x@example.com"), p))
		return enarmor(t, append(one, two...))
	}
	revoked := newGPG(t, "ada@example.com")
	old := s.byGPG(revoked, ada)
	if err := revoked.RevokeKey(packet.KeyCompromised, "lost", nil); err != nil {
		t.Fatal(err)
	}
	keys := keyring(t, s.gpg+publicGPG(t, revoked), s.keys)
	for name, c := range map[string]struct{ commit, want string }{
		"gpg":                   {signed(ada, gpg), ""},
		"gpg, address in caps":  {signed(payload("Ada@Example.com"), gpg), ""},
		"ssh":                   {signed(bob, git), ""},
		"ssh, second principal": {signed(payload("robert@a.example.com"), git), ""},
		"ssh, with options":     {signed(payload("rsa@example.com"), func(p string) string { return s.bySSH(s.rsa, p, "git") }), ""},

		"not at all":                {ada, "is not signed"},
		"in the message":            {strings.Replace(ada, "\nbody", "\ngpgsig "+gpg(ada), 1), "is not signed"},
		"in a tag that was merged":  {withHeader(ada, "mergetag", "object "+someHead+"\ntype commit\n\n"+gpg(ada)+"gpgsig "+gpg(ada)), "is not signed"},
		"another message":           {strings.Replace(signed(ada, gpg), "message", "massage", 1), "has a signature that does not fit its content"},
		"another tree":              {strings.Replace(signed(bob, git), emptyTree, someHead, 1), "has a signature that does not fit its content"},
		"another parent":            {strings.Replace(signed(bob, git), "author", "parent "+someHead+"\nauthor", 1), "has a signature that does not fit its content"},
		"a header more":             {withHeader(signed(bob, git), "encoding", "x"), "has a signature that does not fit its content"},
		"gpg for another committer": {signed(bob, gpg), "is signed by a key that is not its committer's, bob@example.com"},
		"ssh for another committer": {signed(ada, git), "is signed by a key that is not its committer's, ada@example.com"},
		"ssh, principal excluded":   {signed(payload("robert@evil.example.com"), git), "is signed by a key that is not its committer's, robert@evil.example.com"},
		"ssh before its time": {signed(strings.Replace(payload("rsa@example.com"), "1767323046", "1500000000", 1), func(p string) string { return s.bySSH(s.rsa, p, "git") }),
			"is signed by a key that was not valid at its time"},
		"ssh after its time":      {signed(payload("old@example.com"), func(p string) string { return s.bySSH(s.old, p, "git") }), "is signed by a key that was not valid at its time"},
		"ssh key for files":       {signed(payload("file@example.com"), func(p string) string { return s.bySSH(s.old, p, "git") }), "is signed by a key that is not for commits"},
		"gpg as text":             {signed(ada, s.asText), "has a signature of another kind than commits have"},
		"unknown gpg key":         {signed(ada, func(p string) string { return s.byGPG(newGPG(t, "ada@example.com"), p) }), "is not signed by a known key"},
		"unknown ssh key":         {signed(bob, func(p string) string { return s.bySSH(newSSH(t), p, "git") }), "is not signed by a known key"},
		"revoked key":             {withHeader(ada, "gpgsig", old), "is signed by a key that was revoked"},
		"ssh, for a file":         {signed(bob, func(p string) string { return s.bySSH(s.bob, p, "file") }), "has a signature of another kind than commits have"},
		"ssh, by SHA-1":           {signed(payload("rsa@example.com"), s.bySHA1), "has a signature that does not read"},
		"two headers":             {withHeader(signed(ada, gpg), "gpgsig", gpg(ada)), "has a second signature"},
		"two blocks":              {signed(ada, func(p string) string { return gpg(p) + gpg(p) }), "has a second signature"},
		"two packets":             {signed(ada, twoPackets), "has a second signature"},
		"of both kinds":           {signed(ada, func(p string) string { return git(p) + gpg(p) }), "has a second signature"},
		"one over two headers":    {withHeader(withHeader(ada, "gpgsig", half(gpg(ada), 0)), "gpgsig", half(gpg(ada), 1)), "has a second signature"},
		"sha256 beside":           {withHeader(signed(ada, gpg), "gpgsig-sha256", "x"), "has a second signature"},
		"text before":             {signed(ada, func(p string) string { return "hello\n" + gpg(p) }), "is signed in a way that is not supported, use GPG or SSH"},
		"text behind, ssh":        {signed(bob, func(p string) string { return git(p) + "hello\n" }), "has a signature that does not read"},
		"X.509":                   {signed(ada, func(string) string { return "-----BEGIN SIGNED MESSAGE-----\nx\n-----END SIGNED MESSAGE-----\n" }), "is signed in a way that is not supported, use GPG or SSH"},
		"noise, gpg":              {signed(ada, func(string) string { return "-----BEGIN PGP SIGNATURE-----\n\nAAAA\n-----END PGP SIGNATURE-----\n" }), "has a signature that does not read"},
		"noise, ssh":              {signed(bob, func(string) string { return "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n" }), "has a signature that does not read"},
		"endless":                 {signed(ada, func(p string) string { return strings.Replace(gpg(p), "\n\n", "\n\n"+strings.Repeat("A", 70_000), 1) }), "has a signature that is too large"},
		"two committers":          {signed(strings.Replace(ada, "\n\n", "\ncommitter Bob <bob@example.com> 1767323046 +0000\n\n", 1), gpg), "has a committer that cannot be told for sure"},
		"two addresses":           {signed(strings.Replace(ada, "Somebody <", "Somebody <bob@example.com> <", 1), gpg), "has a committer that cannot be told for sure"},
		"a header that is binary": {signed(strings.Replace(ada, "Somebody", "Some\x00body", 1), gpg), "has a header that is not text"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := gitsource.VerifyRaw(keys, []byte(c.commit)); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// half gives one half of a text.
func half(s string, which int) string { return []string{s[:len(s)/2], s[len(s)/2:]}[which] }

func dearmor(t *testing.T, text string) []byte {
	t.Helper()
	block, err := armor.Decode(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := b.ReadFrom(block.Body); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func enarmor(t *testing.T, body []byte) string {
	t.Helper()
	var b strings.Builder
	w, err := armor.Encode(&b, openpgp.SignatureType, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String() + "\n"
}

// Every commit that a push brings is checked, whichever way it comes in.
func TestEveryCommitOfARangeIsChecked(t *testing.T) {
	t.Parallel()
	s := newSigners(t)
	r := newRepo(t)
	r.git("mktree")
	put := func(sign bool, parents ...string) string {
		p := payload("bob@example.com", parents...)
		if sign {
			p = withHeader(p, "gpgsig", s.bySSH(s.bob, p, "git"))
		}
		return r.gitInput(p, "hash-object", "-t", "commit", "-w", "--stdin")
	}
	before := put(false)
	first := put(true, before)
	branch := put(true, first)
	branchHead := put(true, branch)
	merge := put(true, first, branchHead)
	hidden := put(false, merge) // unsigned, on the way to a signed one
	second := put(true, hidden)
	inside := put(false, branch) // unsigned, behind a second parent
	other := put(true, inside)
	head := put(true, second, other)
	r.git("update-ref", "refs/heads/main", head)
	m := open(t, r.options())
	fetch(t, m)
	keys := keyring(t, s.gpg, s.keys)
	for name, c := range map[string]struct {
		trusted []string
		to      string
		want    []string
	}{
		"merge of a signed branch": {[]string{first}, merge, nil},
		"in the middle":            {[]string{merge}, second, []string{hidden}},
		"second parent":            {[]string{second}, head, []string{inside}},
		"all of it":                {[]string{first}, head, []string{hidden, inside}},
		"two trusted":              {[]string{second, inside}, head, nil},
		"empty ones":               {[]string{"", first, ""}, merge, nil},
		"from before":              {[]string{before}, merge, nil},
		"nothing":                  {[]string{head}, head, nil},
		"the head alone":           {nil, head, nil},
		"an unsigned head":         {nil, hidden, []string{hidden}},
	} {
		bad, err := m.Unverified(t.Context(), c.trusted, c.to, keys)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var got []string
		for _, u := range bad {
			if got = append(got, u.Commit); u.Reason != "is not signed" {
				t.Errorf("%s: %+v", name, u)
			}
		}
		slices.Sort(got)
		slices.Sort(c.want)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	for _, trusted := range [][]string{{someHead}, {"main"}} {
		if _, err := m.Unverified(t.Context(), trusted, head, keys); !errors.Is(err, gitsource.ErrNotFetched) {
			t.Errorf("Unverified from %s = %v, want ErrNotFetched", trusted, err)
		}
	}
}

func TestKeyringsThatAreNotValid(t *testing.T) {
	t.Parallel()
	s := newSigners(t)
	var private strings.Builder
	w, err := armor.Encode(&private, openpgp.PrivateKeyType, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.ada.SerializePrivate(w, nil), w.Close()); err != nil {
		t.Fatal(err)
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	weakKey, err := ssh.NewPublicKey(weak.Public())
	if err != nil {
		t.Fatal(err)
	}
	key := authorized(s.bob)
	for name, c := range map[string]struct{ gpg, ssh, want string }{
		"nothing":             {"", "", "there is no key"},
		"only comments":       {"", "# nobody\n", "there is no key"},
		"no armor":            {"hello", "", "gpg --armor --export"},
		"a private key":       {private.String(), "", "no armored public key"},
		"one in disguise":     {strings.ReplaceAll(private.String(), "PRIVATE KEY", "PUBLIC KEY"), "", "is a private key"},
		"a block cut short":   {s.gpg[:200], "", "no armored public key"},
		"a block of noise":    {"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n-----END PGP PUBLIC KEY BLOCK-----\n", "", "does not read"},
		"second block broken": {s.gpg + "-----BEGIN PGP PUBLIC KEY BLOCK-----\n", "", "no armored public key"},
		"no address":          {publicGPG(t, newGPG(t, "")), "", "no user id with an address"},
		"no key":              {"", "bob@example.com\n", "line 1"},
		"key of noise":        {"", "\n\nbob@example.com ssh-ed25519 AAAA\n", "line 3"},
		"authority":           {"", "*@example.com cert-authority " + key, "cert-authority is not supported"},
		"unknown option":      {"", "bob@example.com verify-required " + key, `"verify-required" is not known`},
		"time":                {"", "bob@example.com valid-before=\"tomorrow\" " + key, `"tomorrow" is no time`},
		"day that is not":     {"", "bob@example.com valid-after=20260230 " + key, "is no time"},
		"empty principal":     {"", "bob@example.com,, " + key, "not an address"},
		"class in a pattern":  {"", "[ab]@example.com " + key, "not an address"},
		"weak":                {"", "bob@example.com " + string(ssh.MarshalAuthorizedKey(weakKey)), "too weak"},
		"too large":           {"", strings.Repeat("#", 5<<20), "more than"},
	} {
		_, err := gitsource.ParseKeyring([]byte(c.gpg), []byte(c.ssh))
		if !errors.Is(err, gitsource.ErrKeyring) || !strings.Contains(fmt.Sprint(err), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	for name, line := range map[string]string{
		"quoted principals": `"bob@example.com" ` + key, "minutes": "b@x valid-after=202601021504Z " + key, "seconds": "b@x valid-after=20260102150405 " + key,
		"negated": "!a@x,*@x " + key, "comment": "b@x " + key + " bob's key", "tabs": "b@x\tnamespaces=\"git\"\t" + key, "capitals": "b@x NameSpaces=\"git\" " + key,
	} {
		if _, err := gitsource.ParseKeyring(nil, []byte(line)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzVerify(f *testing.F) {
	s := newSigners(f)
	k, err := gitsource.ParseKeyring([]byte(s.gpg), []byte(s.keys))
	if err != nil {
		f.Fatal(err)
	}
	ada, bob := payload("ada@example.com"), payload("bob@example.com")
	good := map[string]bool{ada: true, bob: true}
	f.Add([]byte(withHeader(ada, "gpgsig", s.byGPG(s.ada, ada))))
	f.Add([]byte(withHeader(bob, "gpgsig", s.bySSH(s.bob, bob, "git"))))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if gitsource.VerifyRaw(k, raw) == "" && !good[withoutSignature(string(raw))] {
			t.Errorf("%q counts as signed", raw)
		}
	})
}

// withoutSignature takes the signature's header off a commit.
func withoutSignature(commit string) string {
	var out strings.Builder
	inside, head := false, true
	for line := range strings.Lines(commit) {
		head = head && line != "\n"
		if inside = head && (strings.HasPrefix(line, "gpgsig ") || inside && line[0] == ' '); !inside {
			out.WriteString(line)
		}
	}
	return out.String()
}
