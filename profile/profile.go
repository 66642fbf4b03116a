package profile

// Environment is where a profile's service runs.
type Environment string

// The environments, from the least to the most careful.
const (
	Development Environment = "Development"
	Staging     Environment = "Staging"
	Production  Environment = "Production"
)

// Environments lists every Environment.
func Environments() []Environment { return []Environment{Development, Staging, Production} }

// ServiceType is what kind of service a profile configures; it informs people and filters, not the rollout.
type ServiceType string

// The service types.
const (
	Microservice  ServiceType = "Microservice"
	Gateway       ServiceType = "Gateway"
	Worker        ServiceType = "Worker"
	Database      ServiceType = "Database"
	MessageBroker ServiceType = "MessageBroker"
)

// ServiceTypes lists every ServiceType.
func ServiceTypes() []ServiceType {
	return []ServiceType{Microservice, Gateway, Worker, Database, MessageBroker}
}

// Profile is the configuration of one service in one environment, as one file and its bases say.
type Profile struct {
	Name        string         `json:"name"`
	Description string         `json:"description,omitempty"`
	Service     string         `json:"service"`
	Environment Environment    `json:"environment"`
	ServiceType ServiceType    `json:"serviceType"`
	Schema      string         `json:"schema,omitempty"`  // schema ID or ""
	Extends     []string       `json:"extends,omitempty"` // as resolved repository paths, in order
	Version     string         `json:"version,omitempty"` // explicit version or ""
	Targets     Targets        `json:"targets"`
	Strategy    Strategy       `json:"strategy"` // with the environment's defaults filled in
	Health      Health         `json:"health"`   // with defaults filled in
	Windows     Windows        `json:"windows"`
	Settings    map[string]any `json:"settings,omitempty"`
	Data        Data           `json:"data"`           // effective: own data over all bases
	Path        string         `json:"path,omitempty"` // of the file in the repository

	// Dependencies are the other files that Load read or looked for: bases, directly and through others, and the
	// schema's candidate paths. Sorted. A change of any, or the appearance of one, asks for a new Load.
	Dependencies []string `json:"dependencies,omitempty"`
	// Warnings do not stop the profile; they are told to whoever merges.
	Warnings []Problem `json:"warnings,omitempty"`
}

// Targets narrows the instances of service and environment that a profile reaches.
type Targets struct {
	Labels map[string]string `json:"labels,omitempty"` // all must be equal
}

// Matches reports whether an instance with labels is a target.
func (t Targets) Matches(labels map[string]string) bool {
	for k, v := range t.Labels {
		if got, ok := labels[k]; !ok || got != v {
			return false
		}
	}
	return true
}
