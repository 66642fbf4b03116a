package settings

import "regexp"

var fullCommit = regexp.MustCompile(`^[0-9a-f]{40}$`)

// checkSigning checks what a source says of signed commits. Keys without
// require_signed_commits are a mistake that would be noticed too late.
func (s Source) checkSigning(check checker) {
	if !s.RequireSignedCommits {
		check(s.SigningKeysFile == "", "signing_keys_file", "is of no use without require_signed_commits")
		check(s.AllowedSignersFile == "", "allowed_signers_file", "is of no use without require_signed_commits")
		check(s.SignedFrom == "", "signed_from", "is of no use without require_signed_commits")
		return
	}
	check(s.SigningKeysFile != "" || s.AllowedSignersFile != "", "require_signed_commits", "needs signing_keys_file, allowed_signers_file or both")
	check(s.SignedFrom == "" || fullCommit.MatchString(s.SignedFrom), "signed_from", "%q is not the full id of a commit: 40 digits and letters from a to f", s.SignedFrom)
}
