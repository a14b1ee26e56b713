package routing

import "fmt"

// UnknownPolicyError says that no policy has the name.
type UnknownPolicyError struct {
	Name    string
	Nearest string // a policy that there is; empty where none is near
}

// Error names the nearest policy.
func (e *UnknownPolicyError) Error() string {
	if e.Nearest == "" {
		return fmt.Sprintf("no policy %q: leave policy empty for the default", e.Name)
	}
	return fmt.Sprintf("no policy %q: did you mean %q?", e.Name, e.Nearest)
}

// PolicyNotAllowedError says that the identity may not use the policy.
type PolicyNotAllowedError struct{ Name string }

// Error says what to do.
func (e *PolicyNotAllowedError) Error() string {
	return fmt.Sprintf("policy %q is not open to this caller: leave policy empty for its own", e.Name)
}

// FieldError says that a field of the request can't be used, with the field's
// path as the contract spells it.
type FieldError struct{ Field, Msg string }

// Error gives "field: message".
func (e *FieldError) Error() string { return e.Field + ": " + e.Msg }

// NoModelError says that no model satisfies every constraint.
type NoModelError struct {
	// Excluded has one reason a model.
	Excluded []Reason
	// Hint says which constraint to loosen.
	Hint string
}

// Error counts the models and says what to loosen; Excluded has the rest.
func (e *NoModelError) Error() string {
	return fmt.Sprintf("no model fits: all %d models of the policy are excluded; %s", len(e.Excluded), e.Hint)
}

// ExhaustedError says that the top tier has failed as often as it is tried.
type ExhaustedError struct{ Failures int }

// Error says what to do next.
func (e *ExhaustedError) Error() string {
	return fmt.Sprintf("the highest tier that is allowed has failed %d times: change the task, or hand it to a person", e.Failures)
}
