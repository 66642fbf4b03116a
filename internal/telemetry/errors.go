package telemetry

import (
	"context"
	"log/slog"

	"go.opentelemetry.io/otel"
)

// LogErrors makes OpenTelemetry say in the log, masked as all of it, what it
// cannot do: a collector that is away, a sampler that does not exist. Otherwise
// it writes to standard error by itself.
func LogErrors(log *slog.Logger) {
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		log.WarnContext(context.Background(), "telemetry works less well", "error", err)
	}))
}
