//go:build race

package classifier_test

// The race detector makes sync.Pool forget on purpose.
const raceEnabled = true
