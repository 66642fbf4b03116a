// Package webhook is the door through which forges say that something happened.
//
// What comes in is a hint: it makes a source be looked at now and not at the next
// poll, and nothing is believed of it but where to look. Whatever is lost, sent
// twice, out of order or made up therefore costs time and never correctness. An
// order in a comment is the one exception: it is stored with the delivery, in one
// transaction, and its words are read at the forge.
//
// In order: the method, the forge, an address that failed too often, the length,
// the encoding, the signature over the raw body; only then is the body read as
// JSON, and only what a known secret signed ever reaches the store.
package webhook
