package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"go.opentelemetry.io/otel/attribute"

	"github.com/sluicehq/sluice/internal/spans"
)

// tracedJobs carries a trace through the outbox: a job remembers the span of
// what put it there, and whichever replica works it off does so in a child of
// that span.
type tracedJobs struct{ river.MiddlewareDefaults }

var (
	_ rivertype.JobInsertMiddleware = &tracedJobs{}
	_ rivertype.WorkerMiddleware    = &tracedJobs{}
)

// traceMetadata is what is kept of a trace beside a job.
type traceMetadata struct {
	TraceParent string `json:"traceparent,omitempty"`
}

// inTrace is what is kept beside a job of a span that is not the present one, as
// where several deployments are stored at once; nil for none.
func inTrace(parent string) []byte {
	if parent == "" {
		return nil
	}
	return []byte(`{"traceparent":"` + parent + `"}`) // hexadecimal digits and dashes
}

// InsertMany keeps the present span with each job.
func (*tracedJobs) InsertMany(ctx context.Context, jobs []*rivertype.JobInsertParams, insert func(context.Context) ([]*rivertype.JobInsertResult, error)) ([]*rivertype.JobInsertResult, error) {
	if parent := spans.Format(ctx); parent != "" {
		for _, job := range jobs {
			if err := remember(job, parent); err != nil {
				return nil, err
			}
		}
	}
	return insert(ctx)
}

// remember adds a traceparent to what River keeps beside a job of its own.
func remember(job *rivertype.JobInsertParams, parent string) error {
	kept := map[string]any{}
	if len(job.Metadata) > 0 {
		if err := json.Unmarshal(job.Metadata, &kept); err != nil {
			return fmt.Errorf("read the metadata of a job %s: %w", job.Kind, err)
		}
	}
	kept["traceparent"] = parent
	var err error
	job.Metadata, err = json.Marshal(kept)
	return err
}

// Work works a job off in a span of its own.
func (*tracedJobs) Work(ctx context.Context, job *rivertype.JobRow, work func(context.Context) error) error {
	var kept traceMetadata
	if err := json.Unmarshal(job.Metadata, &kept); err != nil || kept.TraceParent == "" {
		return work(ctx) // a job without a trace is worked all the same
	}
	ctx, span := spans.Start(spans.With(ctx, kept.TraceParent), "outbox."+job.Kind, attribute.Int("sluice.attempt", job.Attempt))
	err := work(ctx)
	if _, later := errors.AsType[*rivertype.JobSnoozeError](err); later { // not its turn, which is no failure
		spans.End(span, nil)
		return err
	}
	spans.End(span, err)
	return err
}
