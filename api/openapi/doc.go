// Package openapi has the parts of an OpenAPI 3.1 document, and makes its
// schemas from Go types, so that the document says what the code does.
package openapi
