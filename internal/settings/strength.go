package settings

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/internal/signature"
)

// strength is what a secret must have, and the command that makes such a one.
type strength struct {
	length  int // in bytes
	letters int // different bytes
	own     int // letters and digits that are no part of a word that everybody tries
	tried   []string
	make    string
}

// Half of a key may be words: whoever wants its purpose in its name still has 16 letters
// that nobody knows.
var (
	password = strength{12, 5, 6, slices.Concat(words, runs), "openssl rand -base64 24"}
	key      = strength{32, 8, 16, words, "openssl rand -hex 32"}
)

// words are those of examples and of lists of common passwords, longer ones before
// those that they begin with. A secret is what is left without them.
var words = []string{
	"configmanager", "administrator", "letmein", "qwertyuiop", "qwerty", "iloveyou", "monkey", "dragon", "welcome",
	"placeholder", "replace", "changeme", "changeit", "change", "insert", "example", "sample", "default", "dummy", "testing", "test",
	"development", "production", "super", "secure", "secret", "private", "random", "string", "value", "master", "password", "passwort", "passwd", "pass",
	"registration", "session", "signing", "webhook", "token", "admin", "sluice", "root", "user", "jwt", "hmac", "key", "your", "my", "the", "here", "this", "please",
}

// runs are what people add to such a word.
var runs = []string{"0123456789", "1234567890", "123456789", "12345678", "1234567", "123456", "12345", "1234", "123", "abc"}

// weak says why a secret can be guessed, and how to make a better one; "" when
// nothing speaks for it. It never repeats the secret.
func (s strength) weak(secret string) string {
	seen := map[byte]bool{}
	for i := range len(secret) {
		seen[secret[i]] = true
	}
	switch {
	case len(secret) < s.length:
		return fmt.Sprintf("has %d characters, at least %d are needed: %s makes a good one", len(secret), s.length, s.make)
	case len(seen) < s.letters:
		return fmt.Sprintf("repeats itself, and has only %d different characters: %s makes a good one", len(seen), s.make)
	case s.ownLetters(secret) < s.own:
		return fmt.Sprintf("is made of words that everybody tries first: %s makes a good one", s.make)
	}
	return ""
}

// ownLetters counts the letters and digits of a secret that are no part of a word
// that everybody tries.
func (s strength) ownLetters(secret string) int {
	own := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r > 127 {
			return r
		}
		return ' '
	}, strings.ToLower(secret))
	for _, word := range s.tried {
		own = strings.ReplaceAll(own, word, " ")
	}
	return len(strings.ReplaceAll(own, " ", ""))
}

// checkStrength refuses what can be guessed, of the secrets that people choose for
// the daemon. Those of others, such as a forge's tokens, are as they are.
func (s Settings) checkStrength(check checker) {
	for _, one := range []struct {
		field, secret string
		of            strength
	}{
		{"admin_password", s.AdminPassword.Reveal(), password},
		{"registration_token", s.RegistrationToken.Reveal(), key},
	} {
		why := one.of.weak(one.secret)
		check(one.secret == "" || why == "", one.field, "%s", why)
	}
	for i, secret := range sessionSecrets(s.SessionKeys.Reveal()) {
		if len(secret) >= key.length { // shorter ones are refused as they are read
			why := key.weak(secret)
			check(why == "", "session_keys", "key %d %s", i+1, why)
		}
	}
}

// checkHookSecret checks the key of a signature.
func checkHookSecret(secret Secret, check checker) {
	raw, err := signature.Key(secret.Reveal())
	if err != nil {
		check(false, "secret", "%s", err)
		return
	}
	why := key.weak(string(raw))
	check(why == "", "secret", "%s", why)
}

// sessionSecrets lists session_keys in their order; a key in PEM is no secret of
// ours, and "".
func sessionSecrets(text string) []string {
	var secrets []string
	inside := false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "-----BEGIN "):
			inside = true
			secrets = append(secrets, "")
		case strings.HasPrefix(line, "-----END "):
			inside = false
		case line != "" && !inside:
			secrets = append(secrets, line)
		}
	}
	return secrets
}
