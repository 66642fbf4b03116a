package wire

import "time"

// LoginRequest is the body of POST /authentication/login.
type LoginRequest struct {
	Username string `json:"username"`
	Password string `json:"password"`
}

// LoginResponse carries the bearer token of a session.
type LoginResponse struct {
	Token     string    `json:"token"`
	ExpiresAt time.Time `json:"expiresAt"`
	User      User      `json:"user"`
}

// CodeRequest is the body of POST /authentication/sso: the code that a browser
// brought, and the verifier of the challenge that it was asked for with.
type CodeRequest struct {
	Code     string `json:"code"`     // as the browser brought it, good for a minute
	Verifier string `json:"verifier"` // whose SHA-256 is the challenge
}

// User is a person who signs in. The answer to a sign-in has the first two alone.
type User struct {
	Username  string     `json:"username"`
	Role      string     `json:"role"`
	Issuer    string     `json:"issuer,omitempty"`  // of the identity provider that knows the user
	Subject   string     `json:"subject,omitempty"` // what the provider calls the user
	Disabled  bool       `json:"disabled,omitempty"`
	CreatedAt *time.Time `json:"createdAt,omitempty"`
}

// UserRequest is the body of POST /users.
type UserRequest struct {
	Username string `json:"username"`
	Password string `json:"password"`
	Role     string `json:"role"` // Viewer, Developer, Operator, Admin
}

// UserChange is the body of PUT /users/{username}; what is absent stays.
type UserChange struct {
	Role     *string `json:"role,omitempty"`
	Password *string `json:"password,omitempty"`
	Disabled *bool   `json:"disabled,omitempty"`
}

// PasswordChange is the body of PUT /authentication/password.
type PasswordChange struct {
	Current string `json:"currentPassword"`
	New     string `json:"newPassword"`
}

// Identity is who a token is, as GET /authentication/identity answers.
type Identity struct {
	Name         string   `json:"name"`
	Kind         string   `json:"kind"` // user or token
	Role         string   `json:"role"`
	Environments []string `json:"environments,omitempty"`
	Profiles     []string `json:"profiles,omitempty"`
}
