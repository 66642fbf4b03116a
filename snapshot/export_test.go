package snapshot

// VerifyPayload reads what a key would have signed.
func VerifyPayload(payload []byte, r Rules) (Snapshot, error) { return r.read(payload) }
