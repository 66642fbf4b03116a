// Package profile is the YAML format of Sluice's configuration repository and everything that can be said about it
// without a clock, a network or a disk: parsing with places, overlays, JSON Schema checks, the content hash, the
// semantic diff, the next version, and the masking of secrets.
//
// The flow of one file is
//
//	bytes -> yaml.Node -> tree (JSON values with the file, line and column that set them)
//	tree  -> Profile fields, and data merged over the bases that `extends` names
//	data  -> schema check, with each error sent back to the place that set the value
//
// Every byte is taken as hostile: [Limits] caps bytes before the parser sees them, and nodes, depth, keys and alias
// expansion before a value is built. What comes out, [Data], holds JSON values only.
package profile
