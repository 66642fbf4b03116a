package wire

// NotificationTest is the answer of POST /notifications/{target}/test: what the
// target said to a sample.
type NotificationTest struct {
	Target string `json:"target"`
	Taken  bool   `json:"taken"`
	Answer string `json:"answer"` // its HTTP status, such as "200 OK", or why there is none
}
