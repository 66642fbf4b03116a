// Package api is the HTTP door of the daemon: the REST API for people and
// tools, and the watch streams of the instances.
//
// Every route is listed in one place with who may use it and how it uses time;
// a route for nobody in particular is refused when the API is built. Handlers
// decode, call the store or the engine, and encode; they return their error, and
// one handler turns it into an answer.
package api
