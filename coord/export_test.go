package coord

// ParseRedisURL is what is made of a URL.
var ParseRedisURL = parseRedisURL

// MaxOutbox is how many topics are named to other replicas at once.
const MaxOutbox = maxOutbox
