package webhook

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/sluicehq/sluice/forge"
	"github.com/sluicehq/sluice/internal/signature"
)

// genericReader reads {"source": "configs"}, signed as Standard Webhooks says.
type genericReader struct{ now func() time.Time }

func (r genericReader) verify(header http.Header, body, secret []byte) bool {
	return signature.Verify(header, secret, body, r.now()) == nil
}

// read gives a message that makes its source be looked at, whatever it follows.
// The id in it is signed.
func (genericReader) read(header http.Header, body []byte) (message, error) {
	var payload struct {
		Source string `json:"source"`
	}
	if json.Unmarshal(body, &payload) != nil || payload.Source == "" {
		return message{}, forge.ErrPayload
	}
	return message{Event: forge.Event{Delivery: header.Get("Webhook-Id"), Kind: forge.EventPush}, source: payload.Source}, nil
}
