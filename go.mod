module github.com/sluicehq/sluice

go 1.26

require github.com/Masterminds/semver/v3 v3.5.0

require (
	github.com/santhosh-tekuri/jsonschema/v6 v6.0.3 // indirect
	go.yaml.in/yaml/v3 v3.0.6 // indirect
	golang.org/x/text v0.14.0 // indirect
)
