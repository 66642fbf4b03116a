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
}
