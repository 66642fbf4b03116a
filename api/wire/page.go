package wire

import "time"

// PageContent is the data of the event "page" of a stream that looks after an
// open page of the dashboard: all that it shows now.
type PageContent struct {
	Mark  string `json:"mark"`
	Title string `json:"title"`
	Build string `json:"build"` // of the page's script and style; with another one a page loads itself anew
	HTML  string `json:"html"`
}

// PageHere is the data of the event "here", which says that the stream stands.
type PageHere struct {
	Now time.Time `json:"now"` // by the server's clock
	// Unread says that what the page shows cannot be read just now: what the reader has may be old.
	Unread bool `json:"unread,omitempty"`
}
