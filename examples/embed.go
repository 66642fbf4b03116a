// Package examples holds a configuration repository as people would have it:
// the demo runs on it, and the documentation shows it.
package examples

import "embed"

// Configs is the example repository, below the folder configs.
//
//go:embed configs
var Configs embed.FS
