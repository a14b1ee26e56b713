// Package classifier reads a task that is about to be sent to a language model
// and says how much judgment it needs.
//
// It answers five questions about a [Task]: which [Tier] it takes (with
// calibrated probabilities), whether it is design or execution ([Stage]),
// whether one call would waste money because a plan by a strong model could be
// carried out by a cheap one (SplitProbability), how long a good answer is
// ([TokenRange]), and why it thinks so ([Signal]). The labels mean what
// docs/decisions/0003-classifier.md says they mean.
//
// The model is linear: hashed word and character n-grams of what is asked,
// plus features of structure. It is trained by the train package from the
// corpus in this folder, and its weights are embedded in the binary. It calls
// nothing, keeps no state and knows nothing of models, prices or gRPC:
//
//	c := classifier.Default()
//	got, err := c.Classify(ctx, classifier.Prompt("rename these files to kebab-case: ..."))
//	// got.Tier == classifier.Repetition
//
// # How a task is read
//
// A reader of the code meets the steps in this order.
//
//   - task.go: the types that a caller sees.
//   - read.go: what is the ask, and what is only material? The last user turn is
//     read in the light of at most two turns before it and of the system prompt.
//     Blocks that an agent's harness wraps around the ask are set aside. The head
//     and the tail of long material are read word by word, the rest only for its
//     structure.
//   - shape.go and lexicon.go: what lines look like, and what words do, whatever
//     the subject.
//   - features.go: what is read becomes numbers. Training and serving share
//     this code, so they can't disagree.
//   - classify.go: numbers times weights, then calibration.
//   - second.go: where the answer is in doubt, a slower reader may be asked too.
//   - signals.go: the reasons, taken from the same products that made the score.
//   - weights.go: the file format of the weights.
package classifier
