package wire

import "time"

// Report tells what a deployment did: what changed, what was seen, who had it
// and when. It is the body of GET /deployments/{id}/report.
type Report struct {
	Deployment Deployment    `json:"deployment"`
	Headline   string        `json:"headline"`          // one sentence
	Changes    *DiffResponse `json:"changes,omitempty"` // from the version before, secrets masked
	Verdict    *Verdict      `json:"verdict,omitempty"` // of the check that decided
	Series     []Series      `json:"series"`            // what was measured, metric by metric
	TimeLine   []Moment      `json:"timeLine"`
	Durations  Durations     `json:"durations"`
}

// Series is one metric over the deployment's checks, oldest first.
type Series struct {
	Name   string  `json:"name"`
	Unit   string  `json:"unit,omitempty"`
	Failed bool    `json:"failed"` // the metric that decided
	Points []Point `json:"points"`
}

// Point is one check of a metric. Missing numbers were not measured.
type Point struct {
	At       time.Time `json:"at"`
	Outcome  string    `json:"outcome"`
	Value    *float64  `json:"value,omitempty"`
	Control  *float64  `json:"control,omitempty"`
	Baseline *float64  `json:"baseline,omitempty"`
	Limit    *float64  `json:"limit,omitempty"` // beyond which the metric may fail
}

// Moment is one point of the time line.
type Moment struct {
	At   time.Time `json:"at"`
	What string    `json:"what"`
	By   string    `json:"by,omitempty"`
}

// Durations say how long it took, in ISO 8601; empty where one end is not known.
type Durations struct {
	MergeToStart    string `json:"mergeToStart,omitempty"`    // from the commit, by its committer's clock
	StartToDetected string `json:"startToDetected,omitempty"` // until the check that decided, or the order
	DetectedToBack  string `json:"detectedToBack,omitempty"`  // until the last instance acknowledged
	Whole           string `json:"whole,omitempty"`           // from start to end
}
