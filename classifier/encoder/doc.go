// Package encoder is a small sentence encoder with a head that tells the tier
// of a task: a transformer of the BERT family, in Go, without cgo.
//
// The n-gram model of package classifier answers in microseconds and knows
// words. The encoder takes thousands of times longer and knows what words mean
// together, which carries over to forms of prompts that neither has seen. So
// it is meant for the prompts that leave the fast model in doubt:
//
//	e, err := encoder.Load(weights)
//	logits, err := e.Logits(ctx, "Rename these files to kebab-case: ...")
//	// logits[0] repetition, logits[1] making, logits[2] judgment
//
// # How a text becomes three numbers
//
//   - wordpiece.go cuts the text into word pieces, as BERT does.
//   - tokenise (encoder.go) keeps the head and the tail of a long ask, and a
//     little of the turns before: at most 93 tokens, whatever the input.
//   - forward (encoder.go) turns each token into 384 numbers: its own vector
//     plus that of its place. Each of twelve layers then lets every token look at
//     every other (attend) and passes each through a small network of its own
//     (up, gelu, down). Sums are normalised, so that numbers stay in range.
//   - The mean of all tokens, times a 3 × 384 matrix, is the answer.
//
// # How it is made fast
//
// Nearly all the time goes into multiplying matrices, 21 million products a
// token. The weights are int8, with a scale for each output channel. The
// numbers that meet them are int16, with a scale for each token, so that the
// error is that of the weights alone. Sums are int32 and cannot overflow
// (kernels.go says why), so the loop for AVX2 (kernels_amd64.s), the one in
// plain Go and any order of summing give the same integers. The one for AVX2
// takes two products with one multiplication, by an identity of Winograd's.
//
// What is computed in floats between them (normalisation, softmax, GELU, rounding)
// took half the time while it was plain Go. It has loops for AVX2 too, which add
// in the same order. Fused multiply-add is forbidden, exp is a table of integers
// and the rest is sums, products, quotients and square roots: the same text gives
// the same logits on every machine.
//
// Attention uses the same kernel: the keys and the values of a head are made
// int8 on the fly.
//
// # The weights
//
// weights.go describes the file. train.py fine-tunes e5-small-v2, and
// export.py writes the file; both need Python and PyTorch (requirements.txt),
// which nothing else in this repository does.
package encoder
