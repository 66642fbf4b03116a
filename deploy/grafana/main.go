// Command grafana writes the dashboard that deploy/ ships: the rows are listed in
// rows.go, one line a query, and everything that Grafana wants beside them is
// the same for all and stands in dashboard.go.
package main

import (
	"fmt"
	"os"
)

const file = "deploy/grafana/dashboards/sluice.json"

func main() {
	text, err := build()
	if err == nil {
		err = os.WriteFile(file, text, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "grafana:", err)
		os.Exit(1)
	}
}
