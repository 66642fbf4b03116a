package rollout

// DecideUnread is for tests.
var DecideUnread = decideUnread
