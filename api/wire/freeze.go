package wire

import "time"

// Freeze is the answer of GET, PUT and DELETE /freeze. Without one in force only
// Frozen is there.
type Freeze struct {
	Frozen    bool       `json:"frozen"`
	Reason    string     `json:"reason,omitempty"`
	Actor     string     `json:"actor,omitempty"`
	BegunAt   *time.Time `json:"begunAt,omitempty"`
	ExpiresAt *time.Time `json:"expiresAt,omitempty"` // absent: until somebody ends it
}

// FreezeRequest is the body of PUT /freeze. At most one of ExpiresAt and
// ExpiresIn is given; without either it lasts until somebody ends it.
type FreezeRequest struct {
	Reason    string     `json:"reason"`
	ExpiresAt *time.Time `json:"expiresAt,omitempty"`
	ExpiresIn string     `json:"expiresIn,omitempty"` // a duration such as 2h or PT2H
}

// PromoteRequest is the body of promote.
type PromoteRequest struct {
	Reason string `json:"reason,omitempty"`
	All    bool   `json:"all,omitempty"`   // every phase that is left
	Phase  int    `json:"phase,omitempty"` // 1-based: refused when the deployment is in another one
}

// RetryRequest is the body of retry.
type RetryRequest struct {
	Reason string `json:"reason"`
	Force  bool   `json:"force,omitempty"` // break the glass: needs Admin
}
