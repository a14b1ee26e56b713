// Package routing decides what to do with a task before a language model is called:
// which tier, which model, which fallbacks, one call or a plan of two, and what that
// costs against the bill without a decision.
//
// The decision is one of expected cost. Every model that a policy names and that
// passes the gates (on sale, capable, large enough, allowed, affordable, fast enough)
// is a candidate. What a candidate of tier t comes to in the end is
//
//	E(m) = price + wait × value of time
//	     + Σ_k P(task needs k) × f[k][t] × (penalty + E of the next tier up)
//
// with f, the penalty and the value of time from the [Policies], the probabilities
// from the classifier and the price from the catalogue. The lowest E wins. A plan,
// design by a higher tier and execution by a lower, is a candidate like any other.
//
// A reader of the code meets, in this order:
//
//   - request.go, decision.go: what goes in and what comes out.
//   - policy.go, compile.go, rules.go: the policy file, checked and made ready.
//   - route.go: gates, the rule, the choice. session.go: earlier attempts.
//   - plan.go: the two-step candidate. reasons.go: why, in words and amounts.
//   - cost.go, estimate.go, tokens.go, models.go: what calls cost, which models there are.
//
// A [Router] is pure: it reads no clock and keeps no state, so equal requests give
// equal decisions. Expected totals are expectations and use floating point; every
// price, cost and saving is exact.
package routing
