package api

import "github.com/sluicehq/sluice/api/openapi"

// DoorsAndOperations are the keys of all routes but the pages, and of all operations.
func DoorsAndOperations(a *API) (doors, described []string) {
	for _, r := range a.list() {
		if !isPage(r.path) {
			doors = append(doors, doorOf(r))
		}
	}
	for key := range operations() {
		described = append(described, key)
	}
	return doors, described
}

// DocumentOf is what the API says of itself.
func DocumentOf(a *API) (*openapi.Document, error) { return a.document() }

// Enumerations are the values that fields may have.
var Enumerations = enumerations

// FieldTexts are what fields mean that have no comment.
var FieldTexts = fieldTexts
