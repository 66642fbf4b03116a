package web

// Problem is why there is no page.
type Problem struct {
	Status            int
	Headline, Message string
	Details           []string
	TraceID           string
}
