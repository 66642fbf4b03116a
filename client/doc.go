// Package client speaks Sluice's REST API.
//
// Client has a method for every call that tools and dashboards need. Watcher brings the
// configuration of a Go service to a callback, and Session is the machinery below it, on which the
// sidecar agent stands too: it registers the process as an instance, keeps a stream of assignments
// open (long polls where a proxy swallows streams), checks generation and hash of what arrives,
// hands it to the callback, acknowledges what the callback said, heartbeats, and keeps the last
// known good configuration on disk so that a restart works while the server is away.
//
// The server says what should run, and a session never argues: it takes the newest generation it
// was told of and refuses an older one. What it keeps on disk is only its own memory of what it
// applied; the server's word replaces it as soon as it is heard.
package client
