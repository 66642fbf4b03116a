package wire

import "embed"

// Sources are the files of this package: what their comments say of a field is
// what the API's description says of it.
//
//go:embed *.go
var Sources embed.FS
