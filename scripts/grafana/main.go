// Checks dashboards by the types of Grafana's foundation SDK. Unknown, missing and wrong fields are errors.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

func main() {
	// Fields of other kinds of panels and queries would not be checked.
	runtime := cog.NewRuntime()
	runtime.RegisterPanelcfgVariant(timeseries.VariantConfig())
	runtime.RegisterDataqueryVariant(prometheus.VariantConfig())
	status := 0
	for _, file := range os.Args[1:] {
		if err := problem(file); err != nil {
			fmt.Fprintf(os.Stderr, "%s:\n%v\n", file, err)
			status = 1
			continue
		}
		fmt.Printf("%s has the types of Grafana\n", file)
	}
	os.Exit(status)
}

func problem(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var found dashboard.Dashboard
	if err := found.UnmarshalJSONStrict(text); hasErrors(err) {
		return err
	}
	return found.Validate()
}

// The types return an empty list if there is no error.
func hasErrors(err error) bool {
	var list cog.BuildErrors
	if errors.As(err, &list) {
		return len(list) > 0
	}
	return err != nil
}
