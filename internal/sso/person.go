package sso

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Person is whom a provider signed in. Issuer and Subject together are one person
// for ever; a name may become another's.
type Person struct {
	Issuer, Subject string
	Name            string // to show: the checked mail address, the preferred name, or else the subject
	Role            string
}

// Names are what to call the person, the best first. The second is nobody else's.
func (p Person) Names() []string {
	sum := sha256.Sum256([]byte(p.Issuer + "\x00" + p.Subject))
	plain := strings.Map(func(r rune) rune {
		if r < 0x80 && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("._@+-", r)) {
			return r
		}
		return -1
	}, p.Name)
	plain = plain[:min(len(plain), maxShown)]
	own := strings.TrimSpace(plain + " (" + hex.EncodeToString(sum[:4]) + ")")
	if plain != p.Name || plain == "" {
		return []string{own} // what was left out may be all that differs from another's
	}
	return []string{plain, own}
}

// NoRoleError is whom the provider knows and nothing here gives a role.
type NoRoleError struct{ Claim string }

// Error says which claim was looked at, so that somebody can mend it.
func (e *NoRoleError) Error() string {
	return fmt.Sprintf("your account has no role here: nothing in its claim %q is mapped to one", e.Claim)
}

// personOf reads the claims of a checked ID token.
func personOf(issuer, subject string, claims map[string]any, rolesClaim string, roles map[string]string) (Person, error) {
	if subject == "" {
		return Person{}, fmt.Errorf("%w: its subject is empty", ErrRefused)
	}
	role := roleOf(claims, rolesClaim, roles)
	if role == "" {
		return Person{}, &NoRoleError{Claim: rolesClaim}
	}
	return Person{Issuer: issuer, Subject: subject, Name: nameOf(subject, claims), Role: role}, nil
}

// byPower are the roles that people can have, the least powerful first.
var byPower = []string{"Viewer", "Developer", "Operator", "Admin"}

// roleOf is the most powerful role that a value of the claim is mapped to; "" for none.
func roleOf(claims map[string]any, claim string, roles map[string]string) string {
	best := -1
	for _, value := range valuesOf(claims, claim) {
		best = max(best, slices.Index(byPower, roles[value]))
	}
	if best < 0 {
		return ""
	}
	return byPower[best]
}

// valuesOf are the texts of a claim: one, a list, or what dots lead to inside of
// objects. A claim whose own name has dots, as URLs have, comes first.
func valuesOf(claims map[string]any, claim string) []string {
	value, ok := claims[claim]
	if !ok {
		head, rest, dotted := strings.Cut(claim, ".")
		inner, isObject := claims[head].(map[string]any)
		if !dotted || !isObject {
			return nil
		}
		return valuesOf(inner, rest)
	}
	switch v := value.(type) {
	case string:
		return []string{v}
	case []any:
		var out []string
		for _, one := range v {
			if text, ok := one.(string); ok {
				out = append(out, text)
			}
		}
		return out
	}
	return nil
}

// maxShown is how much of a name is shown.
const maxShown = 100

// nameOf is what to show. A mail address counts when the provider checked it:
// otherwise anybody could write that of somebody else.
func nameOf(subject string, claims map[string]any) string {
	verified, _ := claims["email_verified"].(bool)
	email, _ := claims["email"].(string)
	preferred, _ := claims["preferred_username"].(string)
	if !verified {
		email = ""
	}
	return cmp.Or(email, preferred, subject)
}
