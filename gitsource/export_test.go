package gitsource

// VerifyRaw checks one commit object, without a repository around it.
func VerifyRaw(k *Keyring, raw []byte) string { return k.verify(raw) }
