package web

import "github.com/sluicehq/sluice/api/openapi"

func Docs(d *openapi.Document) ([]byte, error) { return nil, nil }
